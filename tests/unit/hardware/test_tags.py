"""The simulated tags, as nfcpy's own stack sees them."""

from collections.abc import Iterator

import nfc
import nfc.tag
import pytest
from nfc.clf import RemoteTarget

from kiosk.hardware.simulated.air import Air
from kiosk.hardware.simulated.tags import Ntag213, RandomIdTag, SimulatedTag, UidOnlyBadge, genuine_badge

UID = bytes.fromhex("04112233445566")


@pytest.fixture
def air() -> Iterator[Air]:
    simulated = Air()
    yield simulated
    simulated.close()


@pytest.fixture
def frontend(air: Air) -> Iterator[nfc.ContactlessFrontend]:
    with nfc.ContactlessFrontend(air.path) as opened:
        yield opened


def activated(air: Air, frontend: nfc.ContactlessFrontend, tag: SimulatedTag) -> nfc.tag.Tag:
    air.field.place(tag)
    return nfc.tag.activate(frontend, frontend.sense(RemoteTarget("106A")))


def test_the_sticker_is_an_ntag213_that_can_be_read_and_written(air: Air, frontend: nfc.ContactlessFrontend) -> None:
    tag = activated(air, frontend, Ntag213(UID))
    assert (tag.product, tag.identifier) == ("NXP NTAG213", UID)
    assert tag.ndef is not None
    tag.write(4, b"\x03\x01\xfe\x00")
    assert tag.read(4)[:4] == b"\x03\x01\xfe\x00"
    assert tag.is_present


def test_the_stickers_uid_and_lock_pages_cannot_be_written(air: Air, frontend: nfc.ContactlessFrontend) -> None:
    tag = activated(air, frontend, Ntag213(UID))
    with pytest.raises(nfc.tag.TagCommandError):
        tag.write(0, bytes(4))


def test_the_badge_is_a_type_4_tag_that_answers_a_presence_check(air: Air, frontend: nfc.ContactlessFrontend) -> None:
    badge = genuine_badge(UID, bytes(16))
    tag = activated(air, frontend, badge)
    assert (tag.type, tag.identifier) == ("Type4Tag", UID)
    assert tag.is_present
    air.field.remove(badge)
    assert not tag.is_present


def test_a_random_identifier_changes_with_each_power_up(air: Air, frontend: nfc.ContactlessFrontend) -> None:
    air.field.place(RandomIdTag())
    uids = {bytes(frontend.sense(RemoteTarget("106A")).sdd_res) for _ in range(5)}
    assert len(uids) == 5
    assert all(len(uid) == 4 and uid[0] == 0x08 for uid in uids)


def test_a_tag_sent_to_sleep_wakes_when_the_field_has_been_off() -> None:
    tag = UidOnlyBadge(UID)
    tag.put_down()
    assert tag.wakes()
    tag.select()
    assert tag.exchange(b"\x50\x00") is None
    assert not tag.wakes()
    tag.power_off()
    assert tag.wakes()


def test_a_selected_tag_takes_a_new_request_for_an_error_and_starts_over() -> None:
    tag = UidOnlyBadge(UID)
    tag.put_down()
    tag.select()
    assert [tag.wakes(), tag.wakes()] == [False, True]


def test_noise_on_the_port_does_not_silence_the_air(air: Air, frontend: nfc.ContactlessFrontend) -> None:
    air.field.place(Ntag213(UID))
    host, port = air.path.removeprefix("udp:").split(":")
    for noise in (b"106A zz", b"106A", b"212F 00", b"\xff\xfe", b"106A 93"):
        frontend.device.socket.sendto(noise, (host, int(port)))
    assert bytes(frontend.sense(RemoteTarget("106A")).sdd_res) == UID


def test_an_air_that_is_closed_twice_is_closed(air: Air) -> None:
    air.close()
    air.close()
