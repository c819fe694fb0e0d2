"""Checks one prebuilt binary, whatever its format; prints {"problems": [...], "facts": {...}}.

    python check.py <file> <expectation as JSON>

The expectation: gypOs, arch, libc, glibcFloor, macosFloor, maxBytes, root (a path that must not
occur in the binary), nodeApi (the function names that Node-API 8 has).
"""

import json
import os
import re
import sys

import lief
import ziglang

import mach_o_signature

path, expected = sys.argv[1], json.loads(sys.argv[2])
lief.logging.disable()
with open(path, "rb") as file:
    data = file.read()

ENTRY_POINTS = {"napi_register_module_v1", "node_api_module_get_api_version_v1"}
# A part of Windows. A C++ runtime is none: users would need that as well.
WINDOWS_C_RUNTIME = re.compile(r"^(ucrtbase|api-ms-win-crt-[a-z0-9-]+)\.dll$", re.I)
node_api = set(expected["nodeApi"])
problems = []
facts = {"bytes": len(data)}


def expect(holds, problem):
    if not holds:
        problems.append(problem)


def zig_lib(*parts):
    return os.path.join(os.path.dirname(ziglang.__file__), "lib", "libc", *parts)


def expect_imports(names, system, system_name):
    asked = {name for name in names if name in node_api}
    expect(asked, "it asks for no Node-API function")
    facts["nodeApiImports"] = len(asked)
    foreign = sorted(set(names) - asked - system)
    expect(not foreign, f"neither Node-API 8 nor {system_name}: {', '.join(foreign)}")


def check_elf():
    binary = lief.ELF.parse(path)
    machine = {"x64": lief.ELF.ARCH.X86_64, "arm64": lief.ELF.ARCH.AARCH64}[expected["arch"]]
    expect(binary.header.machine_type == machine, f"built for {binary.header.machine_type}")
    expect(not list(binary.symtab_symbols), "it is not stripped")
    expect(
        not any(section.name.startswith(".debug") for section in binary.sections),
        "it has debug sections",
    )
    # Else the loader looks up functions in the signal handler (native/posix/handler.cc).
    flags = binary.get(lief.ELF.DynamicEntry.TAG.FLAGS_1)
    expect(
        flags is not None and flags.has(lief.ELF.DynamicEntryFlags.FLAG.NOW),
        "its functions are looked up when they are first called (-z now)",
    )
    exported = {s.name for s in binary.dynamic_symbols if s.name and s.shndx != 0}
    expect(exported == ENTRY_POINTS, f"it exports {', '.join(sorted(exported))}")
    libraries = set(binary.libraries)
    undefined = [s for s in binary.dynamic_symbols if s.name and s.shndx == 0]
    if expected["libc"] == "glibc":
        allowed = re.compile(r"^(lib(c|m|dl|pthread)\.so\.\d|ld-linux-[a-z0-9-]+\.so\.\d)$")
        versioned = {
            s.name: s.symbol_version.symbol_version_auxiliary.name
            for s in undefined
            if s.has_version and s.symbol_version.has_auxiliary_version
        }
        expect(
            all(version.startswith("GLIBC_") for version in versioned.values()),
            f"symbol versions that are not glibc's: {sorted(set(versioned.values()))}",
        )
        numbers = [
            tuple(int(part) for part in version[6:].split("."))
            for version in versioned.values()
            if version[6:].replace(".", "").isdigit()
        ]
        highest = max(numbers)
        facts["glibc"] = ".".join(map(str, highest))
        floor = tuple(int(part) for part in expected["glibcFloor"].split("."))
        expect(highest <= floor, f"it needs glibc {facts['glibc']}")
        system = set(versioned)
    else:
        # The name that zig's linker writes, and Alpine's.
        allowed = re.compile(r"^libc\.(so|musl-(x86_64|aarch64)\.so\.1)$")
        with open(zig_lib("musl", "libc.S")) as file:
            system = set(re.findall(r"^\.type (\w+)", file.read(), re.M))
    expect(
        all(allowed.match(library) for library in libraries),
        f"it needs {', '.join(sorted(libraries))}",
    )
    # Weak and never called without a check: what every shared object asks of its surroundings.
    weak = {s.name for s in undefined if s.binding == lief.ELF.Symbol.BINDING.WEAK}
    expect_imports([s.name for s in undefined if s.name not in weak], system, "libc")


def check_mach_o():
    binary = lief.MachO.parse(path).at(0)
    cpu = {"x64": lief.MachO.Header.CPU_TYPE.X86_64, "arm64": lief.MachO.Header.CPU_TYPE.ARM64}
    expect(binary.header.cpu_type == cpu[expected["arch"]], f"built for {binary.header.cpu_type}")
    expect(
        binary.build_version.platform == lief.MachO.BuildVersion.PLATFORMS.MACOS,
        f"built for {binary.build_version.platform}",
    )
    facts["macos"] = ".".join(map(str, binary.build_version.minos[:2]))
    expect(facts["macos"] == expected["macosFloor"], f"it needs macOS {facts['macos']}")
    # A bundle, which is what node-gyp links, has no install name.
    own = binary[lief.MachO.LoadCommand.TYPE.ID_DYLIB]
    own_name = own.name if own else "@rpath/daemoniker.node"
    expect(own_name == "@rpath/daemoniker.node", f"its install name is {own_name}")
    libraries = {library.name for library in binary.libraries if library.name != own_name}
    # A native build uses the C++ runtime that is part of macOS; a cross-build carries its own.
    system_cpp = "/usr/lib/libc++.1.dylib"
    expect(
        libraries - {system_cpp} == {"/usr/lib/libSystem.B.dylib"},
        f"it needs {', '.join(sorted(libraries))}",
    )
    exported = {s.name.removeprefix("_") for s in binary.exported_symbols}
    expect(ENTRY_POINTS <= exported, f"it exports only {', '.join(sorted(exported))}")
    with open(zig_lib("darwin", "libSystem.tbd")) as file:
        system = set(re.findall(r"[\w$]+", file.read()))
    # Bound to the first that defines them, as C++ wants it; they are defined here too.
    own = {s.name for s in binary.exported_symbols}
    if system_cpp in libraries:
        own |= {s.name for s in binary.imported_symbols if re.match(r"^__(Z|cxa_|gxx_)", s.name)}
    expect_imports(
        [s.name.removeprefix("_") for s in binary.imported_symbols if s.name not in own],
        {name.removeprefix("_") for name in system},
        "libSystem",
    )
    for binding in binary.bindings:
        name = binding.symbol.name.removeprefix("_") if binding.has_symbol else ""
        if name in node_api:
            expect(
                binding.library_ordinal == -2,
                f"{name} is not looked up in whatever program loads it",
            )
    for problem in mach_o_signature.problems(data):
        problems.append(problem)
    facts["signature"] = "ad-hoc"


def windows_imports():
    """The functions that windows_imports.txt allows, as "kernel32.dll Sleep"."""
    allowed, dll = set(), None
    with open(os.path.join(os.path.dirname(__file__), "windows_imports.txt")) as file:
        for line in file:
            if line.startswith("  "):
                allowed.add(f"{dll} {line.strip()}")
            elif line.strip() and not line.startswith("#"):
                dll = line.strip()
    return allowed


def check_pe():
    binary = lief.PE.parse(path)
    machine = lief.PE.Header.MACHINE_TYPES
    wanted = {"x64": machine.AMD64, "arm64": machine.ARM64}[expected["arch"]]
    expect(binary.header.machine == wanted, f"built for {binary.header.machine}")
    exported = {entry.name for entry in binary.get_export().entries}
    expect(exported == ENTRY_POINTS, f"it exports {', '.join(sorted(exported))}")
    dlls = {imported.name for imported in binary.imports}
    asked = {
        f"{imported.name.lower()} {entry.name}"
        for imported in binary.imports
        if not WINDOWS_C_RUNTIME.match(imported.name)
        for entry in imported.entries
    }
    foreign = sorted(asked - windows_imports())
    expect(not foreign, f"not in windows_imports.txt: {', '.join(foreign)}")
    expect(
        binary.header.has_characteristic(lief.PE.Header.CHARACTERISTICS.DLL), "it is no DLL"
    )
    # Looked up by name in the running program: see hostImports() in build.mjs.
    names = set(re.findall(rb"(?<![\w])((?:napi|node_api)_[a-z0-9_]+)\0", data))
    asked = {name.decode() for name in names} - ENTRY_POINTS
    expect_imports(asked, set(), "an entry point")
    facts["imports"] = sorted(dll.lower() for dll in dlls if not dll.lower().startswith("api-"))


expect(len(data) <= expected["maxBytes"], f"{len(data)} bytes are more than {expected['maxBytes']}")
expect(expected["root"].encode() not in data, f"it contains the path {expected['root']}")
{"linux": check_elf, "mac": check_mach_o, "win": check_pe}[expected["gypOs"]]()
print(json.dumps({"problems": problems, "facts": facts}))
