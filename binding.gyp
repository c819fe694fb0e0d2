{
  "variables": {
    # As seen from build, where make links. An absolute path may have spaces and other characters in it
    # that mean something to make, to the shell or to -Wl.
    "root%": ".."
  },
  "targets": [
    {
      "target_name": "daemoniker",
      "sources": [
        "native/addon.cc",
        "native/end.cc",
        "native/exit_wait.cc",
        "native/messenger.cc",
        "native/no_demangler.cc",
        "native/pid_file_claims.cc",
        "native/shutdown.cc",
        "native/watcher.cc"
      ],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        # A worker may be terminated in the middle of a call; nothing can be thrown there any more.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "conditions": [
        ["OS!='win'", {
          "sources": [
            "native/posix/child.cc",
            "native/posix/clock.cc",
            "native/posix/dispositions.cc",
            "native/posix/end.cc",
            "native/posix/file_lock.cc",
            "native/posix/handler.cc",
            "native/posix/notify.cc",
            "native/posix/pid_file.cc",
            "native/posix/service.cc",
            "native/posix/session.cc",
            "native/posix/stuck_stack.cc",
            "native/posix/thread.cc",
            "native/posix/user_name.cc"
          ],
          "cflags": ["-Wall", "-Wextra", "-Os", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections"],
          "cflags!": ["-O3"],
          "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"],
          "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"]
        }],
        ["OS=='win'", {
          "sources": [
            "native/win32/clock.cc",
            "native/win32/console_events.cc",
            "native/win32/dispositions.cc",
            "native/win32/end.cc",
            "native/win32/error_codes.cc",
            "native/win32/file_id.cc",
            "native/win32/file_lock.cc",
            "native/win32/notify.cc",
            "native/win32/overlapped.cc",
            "native/win32/pid_file.cc",
            "native/win32/process.cc",
            "native/win32/process_exit.cc",
            "native/win32/service.cc",
            "native/win32/service_manager.cc",
            "native/win32/session.cc",
            "native/win32/session_window.cc",
            "native/win32/signal_pipe_client.cc",
            "native/win32/signal_pipe_server.cc",
            "native/win32/shared_file.cc",
            "native/win32/stuck_stack.cc",
            "native/win32/thread.cc",
            "native/win32/user32.cc",
            "native/win32/wakeup.cc",
            "native/win32/wide.cc"
          ],
          "defines": [
            "NOMINMAX",
            "UNICODE",
            "WIN32_LEAN_AND_MEAN",
            "_HAS_EXCEPTIONS=0"
          ],
          "libraries": ["-ladvapi32", "-lntdll"],
          # With exceptions off, MSVC warns of each noexcept and of each try in its own headers (C4577,
          # C4530). Nothing throws here, and what cannot be allocated ends the process.
          "msvs_disabled_warnings": [4530, 4577],
          "msvs_settings": {
            "VCCLCompilerTool": {
              "AdditionalOptions": ["/std:c++17", "/utf-8"],
              "ExceptionHandling": 0,
              "WarningLevel": 4
            }
          }
        }],
        ["OS=='linux'", {
          "sources": [
            "native/linux/end.cc",
            "native/linux/exchange.cc",
            "native/linux/main_thread.cc",
            "native/linux/process.cc",
            "native/linux/process_exit.cc",
            "native/linux/siginfo.cc",
            "native/linux/socket.cc",
            "native/linux/wakeup.cc"
          ],
          "ldflags": [
            "-static-libstdc++",
            "-static-libgcc",
            "-Wl,--gc-sections",
            "-Wl,-z,nodelete",
            # No symbol is looked up in the signal handler, where the loader's lock may be held.
            "-Wl,-z,now",
            "-Wl,--version-script=<(root)/native/linux/exports.map"
          ]
        }],
        ["OS=='mac'", {
          "sources": [
            "native/darwin/end.cc",
            "native/darwin/exchange.cc",
            "native/darwin/main_thread.cc",
            "native/darwin/process.cc",
            "native/darwin/process_exit.cc",
            "native/darwin/siginfo.cc",
            "native/darwin/socket.cc",
            "native/darwin/wakeup.cc"
          ],
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "DEAD_CODE_STRIPPING": "YES",
            "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
            "GCC_ENABLE_CPP_RTTI": "NO",
            "GCC_OPTIMIZATION_LEVEL": "s",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "WARNING_CFLAGS": ["-Wall", "-Wextra"]
          }
        }]
      ]
    }
  ]
}
