"""The system calls that the sandbox refuses, compared with the headers of the kernel."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from helpers.grading.sandbox import probe, seccomp
from helpers.grading.sandbox.seccomp import AUDIT_ARCH, COMMANDS, REFUSED, Instruction, filter_program

INCLUDE = Path("/usr/include")
TABLES = {
    "x86_64": (INCLUDE / "x86_64-linux-gnu/asm/unistd_64.h", INCLUDE / "asm/unistd_64.h"),
    "aarch64": (INCLUDE / "asm-generic/unistd.h",),
}


def definitions(*headers: Path) -> dict[str, int]:
    """The whole numbers that the first of these headers that exists defines."""
    header = next((path for path in headers if path.exists()), None)
    if header is None:
        if os.environ.get("CI"):
            pytest.fail(f"{headers[0]} is missing: apt-get install linux-libc-dev")
        pytest.skip(f"{headers[0]} is missing")
    found = re.findall(r"^\s*#define\s+(\w+)\s+\(?(0x[0-9a-fA-F]+|0|[1-9]\d*)U?L?\b", header.read_text(), re.MULTILINE)
    return {name: int(value, 0) for name, value in found}


def system_calls(machine: str) -> dict[str, int]:
    names = definitions(*TABLES[machine])
    found = (re.fullmatch(r"__NR(?:3264)?_(\w+)", name) for name in names)
    return {match[1]: names[match[0]] for match in found if match}


def decide(program: Sequence[Instruction], number: int, architecture: int, *arguments: int) -> int:
    """The result of the filter for a call: an interpreter of the four instructions in use."""
    data = struct.pack("<iIQ6Q", number & 0x7FFFFFFF, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<I", number) + data[4:]  # struct seccomp_data
    accumulator, index = 0, 0
    while True:
        code, if_true, if_false, operand = program[index]
        index += 1
        if code == seccomp.BPF_LOAD:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == seccomp.BPF_JUMP_EQUAL:
            index += if_true if accumulator == operand else if_false
        elif code == seccomp.BPF_JUMP_GREATER:
            index += if_true if accumulator > operand else if_false
        else:
            assert code == seccomp.BPF_RETURN
            return operand


@pytest.mark.parametrize("machine", TABLES)
def test_the_numbers_agree_with_the_kernel_headers(machine: str) -> None:
    column = list(TABLES).index(machine)
    kernel = system_calls(machine)
    ours = {name: numbers[column] for name, numbers in REFUSED.items()}
    ours |= {name: numbers[column] for name, (numbers, _, _) in COMMANDS.items()}
    assert ours == {name: kernel.get(name) for name in ours}
    assert kernel["clone3"] == seccomp.CLONE3
    assert {name: kernel[name] for name in probe._SYSCALLS[machine]} == probe._SYSCALLS[machine]


@pytest.mark.parametrize("machine", TABLES)
def test_the_filter_refuses_what_is_listed_and_allows_the_rest(machine: str) -> None:
    program = filter_program(machine)
    kernel = system_calls(machine)
    eperm, enosys = (seccomp.ERRNO | number for number in (errno.EPERM, errno.ENOSYS))
    refused = {kernel[name] for name in REFUSED if name in kernel}  # a number may have two names
    for name, number in kernel.items():
        expected = enosys if name == "clone3" or number > seccomp.NEWEST else seccomp.ALLOW
        expected = eperm if number in refused else expected
        assert decide(program, number, AUDIT_ARCH[machine]) == expected, name
    for architecture in (0x40000003, 0x40000028, *(set(AUDIT_ARCH.values()) - {AUDIT_ARCH[machine]})):
        assert decide(program, kernel["read"], architecture) == seccomp.KILL_PROCESS
    assert decide(program, 0x40000000 | kernel["read"], AUDIT_ARCH[machine]) == enosys  # x32
    assert len(program) < 4096  # BPF_MAXINSNS


@pytest.mark.parametrize("machine", TABLES)
def test_only_listed_commands_are_allowed(machine: str) -> None:
    program, kernel = filter_program(machine), system_calls(machine)
    eperm = seccomp.ERRNO | errno.EPERM
    for name, (_, place, commands) in COMMANDS.items():
        for command in (*range(2000), 0xFFFFFFFF):
            arguments = [7] * 6
            arguments[place] = command | 0xABCD << 32  # the kernel ignores the upper half
            expected = seccomp.ALLOW if command in commands.values() else eperm
            assert decide(program, kernel[name], AUDIT_ARCH[machine], *arguments) == expected, (name, command)


def test_the_commands_agree_with_the_kernel_headers() -> None:
    generic = definitions(INCLUDE / "asm-generic/fcntl.h") | definitions(INCLUDE / "asm-generic/mman-common.h")
    base = definitions(INCLUDE / "linux/fcntl.h", INCLUDE / "asm-generic/fcntl.h")
    text = (INCLUDE / "linux/fcntl.h").read_text()
    specific = re.findall(r"#define\s+(F_\w+)\s+\(F_LINUX_SPECIFIC_BASE\s*\+\s*(\d+)\)", text)
    kernel = generic | base | {name: 1024 + int(offset) for name, offset in specific}
    for _, _, commands in COMMANDS.values():
        assert commands == {name: kernel[name] for name in commands}


def test_the_constants_agree_with_the_kernel_headers() -> None:
    secure = definitions(INCLUDE / "linux/seccomp.h")
    assert secure["SECCOMP_RET_ALLOW"] == seccomp.ALLOW
    assert secure["SECCOMP_RET_ERRNO"] == seccomp.ERRNO
    assert secure["SECCOMP_RET_KILL_PROCESS"] == seccomp.KILL_PROCESS
    assert secure["SECCOMP_MODE_FILTER"] == seccomp.SECCOMP_MODE_FILTER
    assert definitions(INCLUDE / "linux/prctl.h")["PR_SET_SECCOMP"] == seccomp.PR_SET_SECCOMP
    bpf = definitions(INCLUDE / "linux/bpf_common.h")
    assert bpf["BPF_LD"] | bpf["BPF_W"] | bpf["BPF_ABS"] == seccomp.BPF_LOAD
    assert bpf["BPF_JMP"] | bpf["BPF_JEQ"] | bpf["BPF_K"] == seccomp.BPF_JUMP_EQUAL
    assert bpf["BPF_JMP"] | bpf["BPF_JGT"] | bpf["BPF_K"] == seccomp.BPF_JUMP_GREATER
    assert bpf["BPF_RET"] | bpf["BPF_K"] == seccomp.BPF_RETURN
    machines = definitions(INCLUDE / "linux/elf-em.h")
    is_64_bit, is_little_endian = 0x80000000, 0x40000000  # linux/audit.h: __AUDIT_ARCH_64BIT, __AUDIT_ARCH_LE
    assert AUDIT_ARCH["x86_64"] == machines["EM_X86_64"] | is_64_bit | is_little_endian
    assert AUDIT_ARCH["aarch64"] == machines["EM_AARCH64"] | is_64_bit | is_little_endian


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(OSError, match="no table of system calls for riscv64"):
        filter_program("riscv64")


def test_a_wrong_number_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REFUSED, "ptrace", (102, 117))
    with pytest.raises(AssertionError):
        test_the_numbers_agree_with_the_kernel_headers("x86_64")
    with pytest.raises(AssertionError, match="getuid|ptrace"):
        test_the_filter_refuses_what_is_listed_and_allows_the_rest("x86_64")
