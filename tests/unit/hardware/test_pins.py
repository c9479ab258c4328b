import sys
from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from kiosk.domain.errors import HardwareMissing
from kiosk.hardware.pins import ResetLine, pin_factory


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = pin_factory("mock")
    yield factory
    factory.close()


def test_mock_pins_are_of_no_machine(pins: MockFactory) -> None:
    assert isinstance(pins, MockFactory)


def test_a_missing_driver_is_an_error_that_says_which_package_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(HardwareMissing) as missing:
        pin_factory("lgpio")
    assert missing.value.values == {"what": "lgpio", "kind": "install_package", "package": "python3-lgpio"}


def test_a_factory_nobody_knows_is_an_error_that_names_the_choices() -> None:
    with pytest.raises(HardwareMissing) as missing:
        pin_factory("pigpio")
    assert missing.value.values["choices"] == "lgpio, mock"


def test_a_reset_line_rests_high_and_is_pulled_low_for_a_moment(pins: MockFactory) -> None:
    line = ResetLine(18, pins)
    pin = pins.pin(18)
    pin.clear_states()
    line.pulse()
    assert [state.state for state in pin.states] == [True, False, True]
    line.close()
