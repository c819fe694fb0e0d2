// A short text that one thread writes while others read it, without a lock and async-signal-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

namespace daemoniker {

// `kSize` bytes, the last of them zero. What belongs to the text is told by a number, which is the
// writer's; 0 while it is being written, and at first.
template <size_t kSize>
class SharedText {
 public:
  // One writer at a time.
  void Write(const char (&text)[kSize], uint64_t number) noexcept {
    number_.store(0, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    uint64_t words[kWords];
    std::memcpy(words, text, sizeof words);
    for (size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_relaxed);
    Renumber(number);
  }

  // The same text belongs to something else now.
  void Renumber(uint64_t number) noexcept { number_.store(number, std::memory_order_release); }

  uint64_t Number() const noexcept { return number_.load(std::memory_order_acquire); }

  // False when it belongs to something else, or is being written.
  bool Read(char (&text)[kSize], uint64_t number) const noexcept {
    if (number == 0 || Number() != number) return false;
    uint64_t words[kWords];
    for (size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (number_.load(std::memory_order_relaxed) != number) return false;
    std::memcpy(text, words, sizeof words);
    return true;
  }

 private:
  static constexpr size_t kWords = kSize / sizeof(uint64_t);
  static_assert(kSize % sizeof(uint64_t) == 0, "whole words only");

  std::atomic<uint64_t> number_{0};
  std::atomic<uint64_t> words_[kWords] = {};
};

}  // namespace daemoniker
