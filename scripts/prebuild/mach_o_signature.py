"""Ad-hoc code signatures of Mach-O libraries: arm64 macOS loads nothing without one.

    python mach_o_signature.py <file> <identifier>

writes one in the place that the linker has reserved, the way Apple's linker does ("linker-signed":
no entitlements, nothing but a code directory). check.py uses problems() of this module, which trusts
none of the writing part.

https://github.com/apple-oss-distributions/xnu/blob/main/osfmk/kern/cs_blobs.h names the fields.
"""

import hashlib
import struct
import sys

LC_SEGMENT_64 = 0x19
LC_CODE_SIGNATURE = 0x1D
SUPER_BLOB = 0xFADE0CC0
CODE_DIRECTORY = 0xFADE0C02
SLOT_CODE_DIRECTORY = 0
ADHOC = 0x2
LINKER_SIGNED = 0x20000
SHA256 = 2
CPU_ARM64 = 0x0100000C
# magic, length, version, flags, hashOffset, identOffset, nSpecialSlots, nCodeSlots, codeLimit,
# hashSize, hashType, platform, pageSize, spare2, scatterOffset, teamOffset, spare3, codeLimit64,
# execSegBase, execSegLimit, execSegFlags
HEADER = struct.Struct(">9I4BIIIIQQQQ")
VERSION = 0x20400


def load_commands(data):
    _, _, _, _, count, _, _, _ = struct.unpack_from("<8I", data)
    offset = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, offset)
        yield command, offset
        offset += size


def signature_place(data):
    for command, offset in load_commands(data):
        if command == LC_CODE_SIGNATURE:
            return struct.unpack_from("<2I", data, offset + 8)
    return None


def text_segment(data):
    for command, offset in load_commands(data):
        if command == LC_SEGMENT_64 and data[offset + 8 : offset + 24].rstrip(b"\0") == b"__TEXT":
            _, _, file_offset, file_size = struct.unpack_from("<4Q", data, offset + 24)
            return file_offset, file_size
    raise SystemExit("no __TEXT segment")


def page_hashes(data, limit, shift):
    page = 1 << shift
    return [
        hashlib.sha256(data[start : min(start + page, limit)]).digest()
        for start in range(0, limit, page)
    ]


def sign(data, identifier):
    place = signature_place(data)
    if place is None:
        raise SystemExit("the linker has reserved no room for a signature")
    limit, room = place
    name = identifier.encode() + b"\0"
    # The size of a page there, which is what the linker has reckoned with.
    shift = 14 if struct.unpack_from("<2I", data)[1] == CPU_ARM64 else 12
    text_offset, text_size = text_segment(data)
    hashes = b"".join(page_hashes(data, limit, shift))
    hash_offset = HEADER.size + len(name)
    directory = (
        HEADER.pack(
            CODE_DIRECTORY, hash_offset + len(hashes), VERSION, ADHOC | LINKER_SIGNED,
            hash_offset, HEADER.size, 0, len(hashes) // 32, limit,
            32, SHA256, 0, shift, 0, 0, 0, 0, 0, text_offset, text_size, 0,
        )
        + name
        + hashes
    )  # fmt: skip
    blob = struct.pack(">5I", SUPER_BLOB, 20 + len(directory), 1, SLOT_CODE_DIRECTORY, 20) + directory
    if len(blob) > room:
        raise SystemExit(f"the signature needs {len(blob)} bytes, the linker reserved {room}")
    return data[:limit] + blob.ljust(room, b"\0")


def problems(data):
    """What is wrong with the signature of a thin Mach-O file; an empty list when nothing is."""
    place = signature_place(data)
    if place is None:
        return ["it has no code signature"]
    offset, size = place
    if offset + size != len(data):
        return ["the code signature is not at the end of the file"]
    magic, length, count = struct.unpack_from(">3I", data, offset)
    if magic != SUPER_BLOB or length > size:
        return ["the code signature is no super blob"]
    slots = dict(struct.unpack_from(">2I", data, offset + 12 + 8 * i) for i in range(count))
    if SLOT_CODE_DIRECTORY not in slots:
        return ["the code signature has no code directory"]
    start = offset + slots[SLOT_CODE_DIRECTORY]
    fields = HEADER.unpack_from(data, start)
    magic, _, version, flags, hash_offset, _, _, pages, limit, hash_size, hash_type, _, shift = fields[:13]
    found = []
    if magic != CODE_DIRECTORY or version < VERSION:
        found.append("the code directory is none, or too old")
    if not flags & ADHOC:
        found.append("the signature is not ad-hoc")
    if limit != offset:
        found.append(f"the signature covers {limit} of {offset} bytes")
    if (hash_type, hash_size) != (SHA256, 32):
        found.append("the hashes are not SHA-256")
    if found:
        return found
    signed = [
        data[start + hash_offset + 32 * i : start + hash_offset + 32 * (i + 1)] for i in range(pages)
    ]
    if signed != page_hashes(data, limit, shift):
        found.append("the hashes of the code signature do not match the file")
    return found


if __name__ == "__main__":
    path, identifier = sys.argv[1:]
    with open(path, "rb") as file:
        signed = sign(file.read(), identifier)
    with open(path, "wb") as file:
        file.write(signed)
