# SPDX-License-Identifier: Apache-2.0
"""Random reports, answers and device states, all of them legal."""

from __future__ import annotations

from hypothesis import strategies as st

from muster.protocol import (
    Answer,
    Call,
    CallResult,
    Crash,
    DeviceState,
    Event,
    EventReport,
    KeySetReference,
    LogLevel,
    LogLine,
    LogReport,
    Offer,
    Outcome,
    OutcomeType,
    Postponed,
    Read,
    Reading,
    Report,
    Signal,
    UpdateProgress,
    Variable,
    VariableType,
)

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFF_FFFF)
I32 = st.integers(-0x8000_0000, 0x7FFF_FFFF)
SECRETS = st.binary(min_size=32, max_size=32)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
IDENTITIES = st.binary(min_size=8, max_size=8)

STATES = st.builds(
    DeviceState,
    identity=IDENTITIES,
    product_version=U16,
    slot=st.integers(0, 1),
    hardware_revision=U16,
    security_counter=U32,
    boot_state=st.integers(0, 3),
    bootloader_version=U16,
    keyset_version=U32,
    interval_s=U32,
)

LOGS = st.builds(
    LogReport,
    U32,
    st.lists(st.builds(LogLine, st.sampled_from(LogLevel), U32, TEXTS), min_size=1, max_size=3).map(tuple),
)
EVENTS = st.builds(EventReport, U32, st.lists(st.builds(Event, TEXTS, TEXTS, U32), min_size=1, max_size=3).map(tuple))

# What a report says beside the state.
FACTS = st.builds(
    Report,
    outcome=st.none() | st.builds(Outcome, U32, st.sampled_from(OutcomeType), IDENTITIES, U16),
    update=st.none() | st.builds(UpdateProgress, U32, st.integers(-100, 1), U32),
    uptime_s=st.none() | U32,
    health=st.none() | st.dictionaries(U32, I32, min_size=1, max_size=6),
    logs=st.none() | LOGS,
    events=st.none() | EVENTS,
    crash=st.none() | st.builds(Crash, U32, IDENTITIES, U32, U32, U32, U32),
    results=st.lists(st.builds(CallResult, U32, I32), max_size=4).map(tuple),
    hold_s=st.none() | st.integers(0, 25),
    boots=st.none() | U32,
    functions=st.lists(NAMES, max_size=3).map(tuple),
    variables=st.lists(st.builds(Variable, NAMES, st.sampled_from(VariableType)), max_size=3).map(tuple),
    readings=st.lists(st.builds(Reading, U32, I32 | TEXTS | st.floats(allow_nan=False)), max_size=2).map(tuple),
    claim_code=st.none() | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=63, max_size=63),
    postponed=st.none() | st.builds(Postponed, U32, U32),
)

REFERENCES = st.lists(st.integers(1, 0xFFFF_FFFF), max_size=3, unique=True).flatmap(
    lambda versions: st.tuples(
        *(st.builds(KeySetReference, st.just(version), SECRETS, st.integers(1, 2028)) for version in sorted(versions))
    )
)
IDS = st.lists(U32, max_size=4).map(tuple)
CALL_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=16)

ANSWERS = st.builds(
    Answer,
    next_s=st.none() | U32,
    offer=st.none() | st.builds(Offer, U32, st.binary(min_size=16, max_size=16), SECRETS, U32, U32),
    acknowledged=IDS,
    outcome_acknowledged=st.none() | U32,
    calls=st.lists(st.builds(Call, U32, CALL_TEXTS, CALL_TEXTS), max_size=2).map(tuple),
    results_acknowledged=IDS,
    settings=st.none() | st.dictionaries(U32, I32 | TEXTS, min_size=1, max_size=8),
    keysets=REFERENCES,
    is_quarantined=st.booleans(),
    withdrawn=st.none() | U32,
    reads=st.lists(st.builds(Read, U32, NAMES), max_size=2).map(tuple),
    is_claim_taken=st.booleans(),
    signal=st.none() | st.builds(Signal, U32, st.booleans()),
    consent_s=st.none() | st.integers(1, 0xFFFF_FFFF),
)
