# SPDX-License-Identifier: Apache-2.0
"""Small made-up Thumb-2 programs that can be edited and linked: the same on every machine, whatever its compiler."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum

_RAM_ADDR = 0x2000_0000


class Kind(Enum):
    """What an instruction is, and so what its `value` means."""

    PLAIN = "plain"
    """One halfword as it stands."""
    CALL = "call"
    """BL to the function with this number."""
    BRANCH = "branch"
    """B.W to the function with this number: a tail call."""
    SKIP = "skip"
    """BNE over as many halfwords, less one."""
    CONSTANT = "constant"
    """LDR from the literal pool: this word."""
    ADDRESS = "address"
    """LDR from the literal pool: the address of the function with this number."""
    WIDE = "wide"
    """MOVW and MOVT of this word."""

    @property
    def size(self) -> int:
        """Bytes of code, without the pool."""
        return {Kind.CALL: 4, Kind.BRANCH: 4, Kind.WIDE: 8}.get(self, 2)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, not yet at an address."""

    kind: Kind
    value: int
    register: int = 0

    @property
    def is_load(self) -> bool:
        return self.kind in (Kind.CONSTANT, Kind.ADDRESS)


@dataclass(frozen=True, slots=True)
class Linked:
    """Code at an address. `pointers`: offsets, in `code`, of words that are addresses in it."""

    code: bytes
    pointers: tuple[int, ...]


Function = tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Functions, one behind the other, and then a table of pointers to some of them."""

    functions: tuple[Function, ...]
    table: tuple[int, ...] = ()

    @classmethod
    def made_up(cls, rng: random.Random, functions: int, length: int) -> Program:
        """`functions` functions of about `length` instructions."""
        made = tuple(tuple(_body(rng, functions, length)) for _ in range(functions))
        return cls(made, tuple(rng.randrange(functions) for _ in range(functions // 2)))

    def grown(self, rng: random.Random, number: int, count: int) -> Program:
        """With `count` more instructions in the middle of the function with this number: all behind it moves."""
        old = self.functions[number]
        middle = len(old) // 2
        more = tuple(_instruction(rng, len(self.functions)) for _ in range(count))
        return self._with(number, old[:middle] + more + old[middle:])

    def constants_changed(self, rng: random.Random, change: int) -> Program:
        """Some constants differ by `change`, as line numbers do."""
        functions = tuple(
            tuple(
                replace(one, value=(one.value + change) & 0xFFFF_FFFF)
                if one.kind in (Kind.CONSTANT, Kind.WIDE) and rng.random() < 0.5
                else one
                for one in function
            )
            for function in self.functions
        )
        return replace(self, functions=functions)

    def moved(self, number: int) -> Program:
        """The function with this number changes places with the first one; its callers still find it."""
        order = list(range(len(self.functions)))
        order[0], order[number] = number, 0
        functions = tuple(
            tuple(
                replace(one, value=order[one.value]) if one.kind in (Kind.CALL, Kind.BRANCH, Kind.ADDRESS) else one
                for one in self.functions[place]
            )
            for place in order
        )
        return Program(functions, tuple(order[entry] for entry in self.table))

    def link(self, address: int) -> Linked:
        """Code for this address, a multiple of 4."""
        places, at = [], 0
        for function in self.functions:
            places.append(at)
            at += _size(function)
        code = bytearray()
        pointers: list[int] = []
        for place, function in zip(places, self.functions, strict=True):
            _link_function(code, pointers, place, function, [address + start for start in places], address)
        for entry in self.table:
            pointers.append(len(code))
            code += (address + places[entry] + 1).to_bytes(4, "little")
        return Linked(bytes(code), tuple(pointers))

    def _with(self, number: int, function: Function) -> Program:
        return replace(self, functions=(*self.functions[:number], function, *self.functions[number + 1 :]))


def _body(rng: random.Random, functions: int, length: int) -> list[Instruction]:
    inner = [_instruction(rng, functions) for _ in range(length + rng.randrange(length))]
    return [Instruction(Kind.PLAIN, 0xB510), *inner, Instruction(Kind.PLAIN, 0xBD10)]


def _instruction(rng: random.Random, functions: int) -> Instruction:
    register = rng.randrange(4)
    kind = rng.choices(list(Kind), weights=[12, 3, 1, 2, 1, 1, 1])[0]
    if kind is Kind.PLAIN:
        opcode = rng.choice([0x2000, 0x4600, 0x6800, 0x6000, 0x3000, 0x2800])
        return Instruction(kind, opcode | register << 8 | rng.choice([0, 1, 4, 8, 0x20, 0x41]))
    if kind is Kind.SKIP:
        return Instruction(kind, rng.randrange(1, 4))
    if kind in (Kind.CONSTANT, Kind.WIDE):
        return Instruction(
            kind, rng.choice([_RAM_ADDR + 4 * rng.randrange(64), 0x4002_0000, rng.randrange(1000)]), register
        )
    return Instruction(kind, rng.randrange(functions), register)


def _pool_at(function: Function) -> int:
    """Where the literal pool begins, from the function's first byte: functions begin at multiples of 4."""
    code = sum(one.kind.size for one in function)
    return code + -code % 4


def _size(function: Function) -> int:
    return _pool_at(function) + 4 * sum(one.is_load for one in function)


def _link_function(
    code: bytearray, pointers: list[int], place: int, function: Function, addresses: list[int], address: int
) -> None:
    pool_at = place + _pool_at(function)
    pool = bytearray()
    for one in function:
        at = len(code)
        if one.kind is Kind.PLAIN:
            code += one.value.to_bytes(2, "little")
        elif one.kind is Kind.SKIP:
            code += (0xD100 | one.value).to_bytes(2, "little")
        elif one.kind is Kind.WIDE:
            code += _move(0xF240, one.register, one.value & 0xFFFF) + _move(0xF2C0, one.register, one.value >> 16)
        elif one.is_load:
            distance = (pool_at + len(pool) - (at + 4 & ~3)) // 4
            code += (0x4800 | one.register << 8 | distance & 0xFF).to_bytes(2, "little")
            if one.kind is Kind.ADDRESS:
                pointers.append(pool_at + len(pool))
            word = addresses[one.value] + 1 if one.kind is Kind.ADDRESS else one.value
            pool += word.to_bytes(4, "little")
        else:
            second = 0xD000 if one.kind is Kind.CALL else 0x9000
            code += _long_branch(addresses[one.value] - (address + at + 4), second)
    code += bytes(pool_at - len(code)) + pool


def _move(opcode: int, register: int, value: int) -> bytes:
    """MOVW or MOVT, encodings T3 and T1 of the ARMv7-M manual."""
    first = opcode | (value >> 11 & 1) << 10 | value >> 12
    second = (value >> 8 & 7) << 12 | register << 8 | value & 0xFF
    return first.to_bytes(2, "little") + second.to_bytes(2, "little")


def _long_branch(distance: int, opcode: int) -> bytes:
    """BL or B.W, encodings T1 and T4 of the ARMv7-M manual; `distance` in bytes from the instruction plus 4."""
    sign = distance >> 24 & 1
    j1, j2 = ((distance >> bit & 1) ^ 1 ^ sign for bit in (23, 22))
    first = 0xF000 | sign << 10 | distance >> 12 & 0x3FF
    second = opcode | j1 << 13 | j2 << 11 | distance >> 1 & 0x7FF
    return first.to_bytes(2, "little") + second.to_bytes(2, "little")
