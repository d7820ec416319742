# SPDX-License-Identifier: Apache-2.0
"""What the server answers to a report (docs/spec/device_protocol.md section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from muster.errors import ValueOutOfRange
from muster.protocol import codec, fields
from muster.protocol.codec import check_bytes, check_int, check_items, check_list, check_map, check_text, check_uint
from muster.protocol.fields import Field, Fields, part, parts
from muster.protocol.opening import KeySetReference, check_references

IDENTITY_SIZE = 16
DIGEST_SIZE = 32
ACKNOWLEDGED_MAX = 4
CALLS_MAX = 2
READS_MAX = 2
RESULTS_ACKNOWLEDGED_MAX = 4
SETTINGS_MAX = 8
CALL_NAME_MAX = 64
CALL_ARGUMENT_MAX = 622
SETTING_TEXT_MAX = 255


@dataclass(frozen=True, slots=True)
class Offer:
    """What the device shall run next.

    Attributes:
        attempt: u32, new with every offer.
        identity: first 16 bytes of the target image's.
        patch_digest: SHA-256 of the patch; the name it is fetched by.
        patch_len, image_len: bytes.
    """

    attempt: int
    identity: bytes
    patch_digest: bytes
    patch_len: int
    image_len: int

    def __post_init__(self) -> None:
        check_uint(self.attempt, "attempt")
        check_bytes(self.identity, "identity", IDENTITY_SIZE)
        check_bytes(self.patch_digest, "patch digest", DIGEST_SIZE)
        check_uint(self.patch_len, "patch length")
        check_uint(self.image_len, "image length")

    def to_value(self) -> list[object]:
        return [self.attempt, self.identity, self.patch_digest, self.patch_len, self.image_len]

    @classmethod
    def from_value(cls, value: object) -> Offer:
        return cls(*check_list(value, "offer", 5))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the product's code to be called.

    Attributes:
        call_id: u32.
        name: 1 to 64 bytes of UTF-8, no zero byte.
        argument: at most 622 bytes of UTF-8, no zero byte.
    """

    call_id: int
    name: str
    argument: str

    def __post_init__(self) -> None:
        check_uint(self.call_id, "call id")
        check_text(self.name, "name of a call", CALL_NAME_MAX, 1)
        check_text(self.argument, "argument of a call", CALL_ARGUMENT_MAX)
        if "\0" in self.name or "\0" in self.argument:
            raise ValueOutOfRange("a call's texts have no zero byte")

    def to_value(self) -> list[object]:
        return [self.call_id, self.name, self.argument]

    @classmethod
    def from_value(cls, value: object) -> Call:
        return cls(*check_list(value, "call", 3))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Read:
    """A variable of the product's code to be read. `name`: 1 to 64 bytes of UTF-8."""

    call_id: int
    name: str

    def __post_init__(self) -> None:
        check_uint(self.call_id, "call id")
        check_text(self.name, "name of a variable", CALL_NAME_MAX, 1)

    def to_value(self) -> list[object]:
        return [self.call_id, self.name]

    @classmethod
    def from_value(cls, value: object) -> Read:
        return cls(*check_list(value, "read", 2))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Signal:
    """Whether the device shall show people which one it is."""

    call_id: int
    is_on: bool

    def __post_init__(self) -> None:
        check_uint(self.call_id, "call id")

    def to_value(self) -> list[object]:
        return [self.call_id, int(self.is_on)]

    @classmethod
    def from_value(cls, value: object) -> Signal:
        call_id, is_on = check_list(value, "signal", 2)
        return cls(call_id, bool(check_uint(is_on, "signal", 1)))  # type: ignore[arg-type]  # checked in __post_init__


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; None, empty or False is what it does not say. Empty: nothing to do, come back as before.

    Attributes:
        next_s: seconds until the next check-in; 0 at once; None as before.
        offer: an image to run.
        acknowledged: report ids that are counted, at most 4.
        outcome_acknowledged: the attempt whose outcome is counted.
        calls: at most 2.
        results_acknowledged: call ids, at most 4.
        settings: u32 -> i32, or text of at most 255 bytes; at most 8.
        keysets: newer key sets, oldest first, at most 3.
        is_quarantined: the device is known by its id but not trusted.
        withdrawn: the attempt whose offer is taken back.
        reads: at most 2.
        is_claim_taken: the report's claim code has done its work or never will.
        signal: whether the device shall show itself.
        consent_s: for how many seconds from now the device may put the offer off, at least 1; None: not at all.

    Raises:
        ValueOutOfRange: a field has no legal value.
    """

    next_s: int | None = None
    offer: Offer | None = None
    acknowledged: tuple[int, ...] = ()
    outcome_acknowledged: int | None = None
    calls: tuple[Call, ...] = ()
    results_acknowledged: tuple[int, ...] = ()
    settings: dict[int, int | str] | None = None
    keysets: tuple[KeySetReference, ...] = ()
    is_quarantined: bool = False
    withdrawn: int | None = None
    reads: tuple[Read, ...] = ()
    is_claim_taken: bool = False
    signal: Signal | None = None
    consent_s: int | None = None

    def __post_init__(self) -> None:
        for name in ("next_s", "outcome_acknowledged", "withdrawn"):
            value = getattr(self, name)
            if value is not None:
                check_uint(value, name)
        if self.consent_s is not None:
            check_uint(self.consent_s, "consent", lowest=1)
        _check_ids(self.acknowledged, "acknowledged", ACKNOWLEDGED_MAX)
        _check_ids(self.results_acknowledged, "results acknowledged", RESULTS_ACKNOWLEDGED_MAX)
        if len(self.calls) > CALLS_MAX:
            raise ValueOutOfRange(f"{len(self.calls)} calls, at most {CALLS_MAX} are sent at once")
        if len(self.reads) > READS_MAX:
            raise ValueOutOfRange(f"{len(self.reads)} reads, at most {READS_MAX} are sent at once")
        if self.settings is not None:
            _check_settings(self.settings)
        check_references(self.keysets)

    def to_bytes(self) -> bytes:
        """The plaintext."""
        return fields.to_bytes(self, _FIELDS)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Answer:
        """Parses a plaintext; keys that are not known are ignored.

        Raises:
            MessageFormatError: anything that is not of the page's form.
        """
        return codec.parsed(lambda: cls(**fields.arguments_from(raw, "answer", _FIELDS)))


def _check_ids(ids: tuple[int, ...], name: str, count_max: int) -> None:
    if len(ids) > count_max:
        raise ValueOutOfRange(f"{name}: {len(ids)} ids, at most {count_max} are sent at once")
    for number in ids:
        check_uint(number, name)


def _check_settings(value: object) -> None:
    settings = check_map(value, "settings")
    if not 1 <= len(settings) <= SETTINGS_MAX:
        raise ValueOutOfRange(f"{len(settings)} settings, 1 to {SETTINGS_MAX} are sent at once")
    for key, setting in settings.items():
        check_uint(key, "number of a setting")
        if type(setting) is str:
            check_text(setting, "setting", SETTING_TEXT_MAX)
        else:
            check_int(setting, "setting")


def _ids(value: object) -> object:
    return tuple(check_items(value, "ids"))


def _calls(value: object) -> object:
    return tuple(Call.from_value(item) for item in check_items(value, "calls", CALLS_MAX))


def _reads(value: object) -> object:
    return tuple(Read.from_value(item) for item in check_items(value, "reads", READS_MAX))


def _references(value: object) -> object:
    return tuple(KeySetReference.from_value(item) for item in check_items(value, "key sets"))


def _true(value: object) -> bool:
    if value is not True:
        raise ValueOutOfRange("what is only ever true is something else")
    return True


_FIELDS: Fields = {
    1: Field("next_s"),
    2: Field("offer", part, Offer.from_value),
    3: Field("acknowledged", list, _ids),
    4: Field("outcome_acknowledged"),
    5: Field("calls", parts, _calls),
    6: Field("results_acknowledged", list, _ids),
    7: Field("settings"),
    8: Field("keysets", parts, _references),
    9: Field("is_quarantined", from_value=_true),
    10: Field("withdrawn"),
    12: Field("reads", parts, _reads),
    13: Field("is_claim_taken", from_value=_true),
    14: Field("signal", part, Signal.from_value),
    15: Field("consent_s"),
}
"""Key of the map -> field of Answer."""
