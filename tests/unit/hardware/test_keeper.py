import threading
import time
from collections.abc import Callable

from kiosk.hardware.keeper import Keeper


class Device:
    """Fails each time it is served; the time of each service is kept."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.served: list[float] = []
        self.lost: list[Exception] = []
        self.done = threading.Event()

    def serve(self) -> None:
        self.served.append(time.monotonic())
        if len(self.served) >= self.enough:
            self.done.set()
        raise TypeError("what a driver leaks")


def run(device: Device, first: float, longest: float, well: Callable[[Keeper], None] = lambda _: None) -> Keeper:
    def serve() -> None:
        well(keeper)
        device.serve()

    keeper = Keeper("test", serve, device.lost.append, first, longest)
    keeper.start()
    assert device.done.wait(10)
    keeper.stop()
    return keeper


def gaps(device: Device) -> list[float]:
    return [later - earlier for earlier, later in zip(device.served, device.served[1:], strict=False)]


def test_a_thread_survives_any_failure_and_tells_each_one() -> None:
    device = Device(enough=4)
    run(device, 0.001, 0.001)
    assert len(device.lost) >= 3
    assert all(isinstance(lost, TypeError) for lost in device.lost)


def test_the_pauses_grow_up_to_the_longest() -> None:
    device = Device(enough=5)
    run(device, 0.02, 0.08)
    assert all(gap >= pause for gap, pause in zip(gaps(device), (0.02, 0.04, 0.08, 0.08), strict=True))
    assert gaps(device)[3] < 0.16


def test_a_device_that_worked_in_between_is_tried_again_soon() -> None:
    device = Device(enough=6)
    run(device, 0.02, 10.0, Keeper.well)
    assert max(gaps(device)) < 0.5


def test_stopping_does_not_wait_for_the_pause_and_progress_shows_meanwhile() -> None:
    device = Device(enough=1)
    began = time.monotonic()
    keeper = run(device, 60.0, 60.0)
    assert time.monotonic() - began < 5
    assert keeper.stopping
    assert keeper.beat > began


def test_a_keeper_that_was_never_started_can_be_stopped() -> None:
    Keeper("test", lambda: None, lambda _: None, 1, 1).stop()


def test_even_a_failure_to_deal_with_the_failure_does_not_end_the_thread() -> None:
    device = Device(enough=3)

    def lose(lost: Exception) -> None:
        raise RuntimeError from lost

    keeper = Keeper("test", device.serve, lose, 0.001, 0.001)
    keeper.start()
    assert device.done.wait(10)
    keeper.stop()
