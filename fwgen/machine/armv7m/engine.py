"""The instruction engine: Unicorn, driven through raw ctypes.

The binding's own ``reg_read`` and hook wrappers cost five to fifteen times a plain call; here
every register transfer is one library call over arrays made once.

What Unicorn does and does not do (version 2.1, each point held by a test):

* ``UC_MODE_THUMB`` without ``UC_MODE_MCLASS``: with it every model silently is a Cortex-M33.
* Within BLOCK and CODE hooks the PC is written singly, within INTR and INSN_INVALID hooks as a
  batch; the other way round the write is lost or stale.
* Writes to memory from the host do not invalidate translated code: ``drop_code`` does.
* A hook that raises is silently ignored by ctypes: hooks here must not raise; the core stores
  what went wrong and raises it after ``start`` returned.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import TYPE_CHECKING, Any

from unicorn import arm_const as arm
from unicorn import unicorn_const as uc
from unicorn.unicorn_py3.unicorn import Uc, uclib

from fwgen.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODELS = {
    "cortex-m0": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m0+": arm.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m4f": arm.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm.UC_CPU_ARM_CORTEX_M33,
}

R0 = arm.UC_ARM_REG_R0
SP, LR, PC = arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC
GENERAL = (*range(R0, R0 + 13), SP, LR, PC)  # r0 .. r15
S0 = arm.UC_ARM_REG_S0
XPSR, APSR_NZCV, FPSCR = arm.UC_ARM_REG_XPSR, arm.UC_ARM_REG_APSR_NZCV, arm.UC_ARM_REG_FPSCR
EPSR = arm.UC_ARM_REG_EPSR
CONTROL, MSP, PSP = arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_MSP, arm.UC_ARM_REG_PSP
PRIMASK, BASEPRI, FAULTMASK = (
    arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_BASEPRI, arm.UC_ARM_REG_FAULTMASK,
)  # fmt: skip

BLOCK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
INTR = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
INVALID = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)
MEMORY = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)  # fmt: skip
MMIO_READ = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p
)
MMIO_WRITE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)
EVERYWHERE = (1, 0)  # bounds of a hook: begin above end
# The last page of external RAM, where no board has any: CLREX is run from there.
SCRATCH, SCRATCH_SIZE = 0x9FFF_F000, 0x1000
_CLREX = b"\xbf\xf3\x2f\x8f"


# The library's own, with addresses as plain integers: nothing to convert at each call.
_MOVE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
)
_MOVE_ONE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_read_one = _MOVE_ONE(("uc_reg_read", uclib))
_write_one = _MOVE_ONE(("uc_reg_write", uclib))
_read_batch = _MOVE(("uc_reg_read_batch", uclib))
_write_batch = _MOVE(("uc_reg_write_batch", uclib))
# For native code.
READ_ONE = ctypes.cast(_read_one, ctypes.c_void_p).value
WRITE_ONE = ctypes.cast(_write_one, ctypes.c_void_p).value


class Batch:
    """A fixed set of registers, moved in one library call. ``values`` is the array."""

    __slots__ = ("_count", "_ids", "_keep", "_pointers", "_words", "values")

    def __init__(self, registers: Sequence[int]) -> None:
        self._count = len(registers)
        self._words = Struct(f"={self._count}I")
        self.values = (ctypes.c_uint32 * self._count)()
        ids = (ctypes.c_int32 * self._count)(*registers)
        base = ctypes.addressof(self.values)
        pointers = (ctypes.c_void_p * self._count)(*(base + 4 * n for n in range(self._count)))
        self._keep = (ids, pointers)
        self._ids, self._pointers = ctypes.addressof(ids), ctypes.addressof(pointers)

    def read(self, handle: int) -> list[int]:
        """The registers' values now."""
        _read_batch(handle, self._ids, self._pointers, self._count)
        return list(self._words.unpack_from(self.values))

    def write(self, handle: int, values: Sequence[int]) -> None:
        """Set the registers, in the order given when made."""
        self._words.pack_into(self.values, 0, *values)
        _write_batch(handle, self._ids, self._pointers, self._count)


class Engine:
    """One Unicorn instance: memory, registers, hooks. Belongs to one core."""

    def __init__(self, core: str) -> None:
        if core not in MODELS:
            raise BenchError(
                f"the machine has no core {core!r}", hint=f"it has {', '.join(MODELS)}"
            )
        self._uc = Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB)
        self._uc.ctl_set_cpu_model(MODELS[core])
        self._uc.ctl_set_tcg_buffer_size(16 << 20)
        self.handle: Any = self._uc._uch
        self._address = int(self.handle.value or 0)
        self._word = ctypes.c_uint32()
        self._word_at = ctypes.addressof(self._word)
        self.clearing = False  # the block that runs is ``clear_exclusive``'s
        self._keep: list[Any] = []
        self._batches: dict[tuple[int, ...], Batch] = {}

    # ------------------------------------------------------------------ memory

    def map(self, base: int, buffer: Any, size: int, *, write: bool, execute: bool = True) -> None:
        """Make a host buffer the memory at ``base``; the same buffer may lie at several places."""
        self._keep.append(buffer)
        self._check(
            uclib.uc_mem_map_ptr(self.handle, base, size, uc.UC_PROT_ALL, ctypes.addressof(buffer)),
            f"map {base:#x}",
        )
        if not (write and execute):  # a second time: mapping read-only alone lets the store through
            rights = uc.UC_PROT_READ
            rights |= (uc.UC_PROT_WRITE if write else 0) | (uc.UC_PROT_EXEC if execute else 0)
            self._check(uclib.uc_mem_protect(self.handle, base, size, rights), f"map {base:#x}")

    def unmap(self, base: int, size: int) -> None:
        """Take memory away; translations of code there are forgotten."""
        self._check(uclib.uc_mem_unmap(self.handle, base, size), f"unmap {base:#x}")

    def map_part(self, base: int, buffer: Any, offset: int, size: int, rights: int) -> None:
        """Make a part of a host buffer, which is kept already, the memory at ``base``."""
        where = ctypes.addressof(buffer) + offset
        self._check(
            uclib.uc_mem_map_ptr(self.handle, base, size, uc.UC_PROT_ALL, where), f"map {base:#x}"
        )
        if rights != uc.UC_PROT_ALL:
            self._check(uclib.uc_mem_protect(self.handle, base, size, rights), f"map {base:#x}")

    def map_io(
        self,
        base: int,
        size: int,
        read: Callable[..., int],
        write: Callable[..., None],
        user: Any = None,
    ) -> None:
        """Send accesses to [base, base + size) to callbacks, in Python or, with ``user``, in C.

        Mapped without rights, so that the ``access`` hook runs first, with the exact PC.
        """
        native = user is not None
        reader: Any = read if native else MMIO_READ(read)
        writer: Any = write if native else MMIO_WRITE(write)
        self._keep += [reader, writer, user]
        given = ctypes.addressof(user) if native else None
        self._check(
            uclib.uc_mmio_map(
                self.handle, base, size,
                ctypes.cast(reader, ctypes.c_void_p), given,
                ctypes.cast(writer, ctypes.c_void_p), given,
            ),
            f"map {base:#x}",
        )  # fmt: skip
        self._check(
            uclib.uc_mem_protect(self.handle, base, size, uc.UC_PROT_NONE), f"map {base:#x}"
        )

    def drop_code(self, start: int, end: int) -> None:
        """Forget translations of code in [start, end)."""
        self._uc.ctl_remove_cache(start, end)

    def drop_all_code(self) -> None:
        """Forget every translation."""
        self._uc.ctl_flush_tb()

    # ------------------------------------------------------------------ hooks

    def hook(
        self,
        kind: int,
        signature: Any,
        call: Callable[..., Any],
        begin: int = 1,
        end: int = 0,
        *,
        user: int | None = None,
    ) -> Any:
        """Install a hook; returns its handle for ``unhook``."""
        wrapped = call if isinstance(call, signature) else signature(call)
        self._keep.append(wrapped)
        made = ctypes.c_size_t()
        self._check(
            uclib.uc_hook_add(
                self.handle,
                ctypes.byref(made),
                kind,
                ctypes.cast(wrapped, ctypes.c_void_p),
                user,
                begin,
                end,
            ),
            "hook",
        )  # fmt: skip
        return made

    def unhook(self, made: Any) -> None:
        """Take a hook out."""
        uclib.uc_hook_del(self.handle, made)

    # ------------------------------------------------------------------ registers

    def read(self, register: int) -> int:
        """One 32-bit register."""
        _read_one(self._address, register, self._word_at)
        return self._word.value

    def write(self, register: int, value: int) -> None:
        """Set one 32-bit register."""
        self._word.value = value & 0xFFFFFFFF
        _write_one(self._address, register, self._word_at)

    def read_many(self, registers: tuple[int, ...]) -> list[int]:
        """Several registers in one call."""
        batch = self._batches.get(registers)
        if batch is None:
            batch = self._batches[registers] = Batch(registers)
        return batch.read(self._address)

    def write_many(self, registers: tuple[int, ...], values: Sequence[int]) -> None:
        """Set several registers in one call."""
        batch = self._batches.get(registers)
        if batch is None:
            batch = self._batches[registers] = Batch(registers)
        batch.write(self._address, values)

    # ------------------------------------------------------------------ running

    def map_scratch(self) -> None:
        """Make the place that ``clear_exclusive`` needs: it runs, but cannot be read or written."""
        page = (ctypes.c_ubyte * SCRATCH_SIZE)(*_CLREX)
        self.map(SCRATCH, page, SCRATCH_SIZE, write=False)
        self._check(
            uclib.uc_mem_protect(self.handle, SCRATCH, SCRATCH_SIZE, uc.UC_PROT_EXEC), "map"
        )

    def clear_exclusive(self) -> None:
        """Close the exclusive monitor: STREX fails until the next LDREX."""
        self.clearing = True
        self.start(SCRATCH, SCRATCH + len(_CLREX))
        self.clearing = False

    def start(self, pc: int, until: int) -> int:
        """Run Thumb code from ``pc`` until it is about to run ``until``; gives Unicorn's error."""
        error: int = uclib.uc_emu_start(self.handle, pc | 1, until, 0, 0)
        return error

    def stop(self) -> None:
        """Ask the engine to return from ``start`` before its next block."""
        uclib.uc_emu_stop(self.handle)

    def close(self) -> None:
        """Give the instance back."""
        finish = getattr(self._uc, "_Uc__finalizer")  # noqa: B009 - mangled, and ours to call
        finish()
        self._keep.clear()

    @staticmethod
    def _check(error: int, what: str) -> None:
        if error:
            text = uclib.uc_strerror(error).decode("ascii")
            raise BenchError(f"the instruction engine refused to {what}: {text}")
