"""Refuse system calls of this process and its children with seccomp, see ``man 2 seccomp``. Runs in the sandbox.

The numbers are those of ``linux/unistd.h``; a test compares them with the kernel's headers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

# x86_64, and the generic table (aarch64); None where an architecture lacks the call
REFUSED = {
    # processes and threads: resource limits are per process
    "clone": (56, 220), "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    # sockets of every family, as some ignore network namespaces. asyncio needs socketpair: the buffers of a pair are
    # not counted as memory, but are small unless they grow, or descriptors of sockets are queued in them
    "socket": (41, 198), "sendmsg": (46, 211), "sendmmsg": (307, 269), "recvmsg": (47, 212), "recvmmsg": (299, 243),
    "setsockopt": (54, 208),
    # state that all sandboxes share: locks and times of files, and which of their pages are in memory
    "flock": (73, 32), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "fadvise64": (221, 223), "readahead": (187, 213), "mincore": (27, 232), "preadv2": (327, 286),
    "pwritev2": (328, 287), "sync": (162, 81), "syncfs": (306, 267), "sync_file_range": (277, 84),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    # memory outside of the limits, and objects that outlive a process
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # complex parts of the kernel with a history of vulnerabilities
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_setup": (206, 0),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "fanotify_init": (300, 262), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "modify_ldt": (154, None), "personality": (135, 92), "vmsplice": (278, 75),
    "acct": (163, 89), "reboot": (169, 142), "swapon": (167, 224), "init_module": (175, 105),
    "finit_module": (313, 273), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
}  # fmt: skip
# name → the numbers, which argument is a command, and the commands that are allowed; all others are refused.
# No locks, leases and hints of fcntl; of madvise nothing that loads, evicts or merges pages.
COMMANDS = {
    "fcntl": ((72, 25), 1, {
        "F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4, "F_DUPFD_CLOEXEC": 1030,
        "F_GETPIPE_SZ": 1032,
    }),
    "madvise": ((28, 233), 2, {
        "MADV_NORMAL": 0, "MADV_RANDOM": 1, "MADV_SEQUENTIAL": 2, "MADV_DONTNEED": 4, "MADV_FREE": 8,
        "MADV_DONTFORK": 10, "MADV_DOFORK": 11, "MADV_HUGEPAGE": 14, "MADV_NOHUGEPAGE": 15, "MADV_DONTDUMP": 16,
        "MADV_DODUMP": 17,
    }),
}  # fmt: skip
CLONE3 = 435  # a filter cannot read its flags, which are in memory; libc falls back to clone
NEWEST = 450  # newer calls are refused with ENOSYS

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
BPF_LOAD, BPF_JUMP_EQUAL, BPF_JUMP_GREATER, BPF_RETURN = 0x20, 0x15, 0x25, 0x06
ALLOW, KILL_PROCESS, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16  # in struct seccomp_data; arguments have 8 bytes each

Instruction = tuple[int, int, int, int]
"""A ``sock_filter``: code, instructions to jump over if true, if false, operand."""


def filter_program(machine: str) -> list[Instruction]:
    """The classic BPF program that the kernel runs before every system call.

    Args:
        machine: as :func:`platform.machine` calls it.

    Raises:
        OSError: there is no table of system calls for this machine.
    """
    if machine not in AUDIT_ARCH:
        raise OSError(f"there is no table of system calls for {machine}, only for {' and '.join(AUDIT_ARCH)}")
    column = _COLUMN[machine]
    program = [
        (BPF_LOAD, 0, 0, _ARCH_OFFSET),  # 32-bit calls have different numbers
        (BPF_JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (BPF_RETURN, 0, 0, KILL_PROCESS),
        (BPF_LOAD, 0, 0, _NUMBER_OFFSET),
        (BPF_JUMP_GREATER, 0, 1, NEWEST),  # including the x32 interface
        (BPF_RETURN, 0, 0, ERRNO | errno.ENOSYS),
        (BPF_JUMP_EQUAL, 0, 1, CLONE3),
        (BPF_RETURN, 0, 0, ERRNO | errno.ENOSYS),
    ]
    for numbers in REFUSED.values():
        if (number := numbers[column]) is not None:
            program += [(BPF_JUMP_EQUAL, 0, 1, number), (BPF_RETURN, 0, 0, ERRNO | errno.EPERM)]
    for numbers, argument, commands in COMMANDS.values():
        # Both commands are 32-bit integers: the kernel ignores the upper half of the argument.
        allowed = sorted(commands.values())
        program += [
            (BPF_JUMP_EQUAL, 0, len(allowed) + 3, numbers[column]),
            (BPF_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * argument),
            *((BPF_JUMP_EQUAL, len(allowed) - index, 0, command) for index, command in enumerate(allowed)),
            (BPF_RETURN, 0, 0, ERRNO | errno.EPERM),
            (BPF_RETURN, 0, 0, ALLOW),
        ]
    return [*program, (BPF_RETURN, 0, 0, ALLOW)]


def refuse_calls() -> None:
    """Install the filter irrevocably.

    Raises:
        OSError: the kernel rejects it, or there is no table for this machine.
    """
    program = filter_program(platform.machine())
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    header = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))  # struct sock_fprog
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"PR_SET_SECCOMP: {os.strerror(number)}")
