"""Settings: read once, and every fault of the file told together."""

from pathlib import Path

import pytest

from kiosk import config
from kiosk.domain.errors import BadSettings, NotInitialised


def write(folder: Path, text: str) -> Path:
    (folder / config.FILE).write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path, text: str) -> list[config.Fault]:
    with pytest.raises(BadSettings) as refused:
        config.read(write(folder, text))
    assert refused.value.values["file"] == str(folder / config.FILE)
    found = refused.value.values["faults"]
    assert isinstance(found, list)
    return found


def test_a_good_file_is_read(tmp_path: Path) -> None:
    settings = config.read(
        write(
            tmp_path,
            """
            [cabinet]
            node = "armoire-7"
            pins = "mock"
            [screen]
            port = 8099
            [broker]
            host = "broker.example"
            protocol = "3.1.1"
            [headquarters]
            database = "postgresql+psycopg://hq:secret@127.0.0.1/hq"
            """,
        )
    )
    assert (settings.cabinet.node, settings.cabinet.pins, settings.screen.port) == ("armoire-7", "mock", 8099)
    assert (settings.broker.host, settings.broker.port, settings.broker.protocol) == ("broker.example", 1883, "3.1.1")
    assert settings.central_database == "postgresql+psycopg://hq:secret@127.0.0.1/hq"


def test_an_empty_file_is_all_defaults_and_everything_is_in_its_folder(tmp_path: Path) -> None:
    settings = config.read(write(tmp_path, ""))
    assert settings.cabinet == config.CabinetSettings()
    assert {settings.database, settings.control, settings.screen_key, settings.central_database} == {
        tmp_path / "cabinet.db",
        tmp_path / "control.sock",
        tmp_path / "screen.key",
        tmp_path / "headquarters.db",
    }


def test_without_a_file_there_is_no_cabinet(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised) as refused:
        config.read(tmp_path)
    assert refused.value.values == {"folder": str(tmp_path)}


def test_every_unknown_name_and_wrong_type_is_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        [cabinett]
        node = "x"
        [screen]
        prot = 8080
        [broker]
        host = 5
        port = "1883"
        zzz = 1
        """,
    )
    assert sorted(found) == [
        ("unknown_key", "screen.prot", "port"),
        ("unknown_key_among", "broker.zzz", "host, port, protocol, ca, certificate, key"),
        ("unknown_section", "cabinett", "cabinet"),
        ("wrong_type", "broker.host", "str"),
        ("wrong_type", "broker.port", "int"),
    ]


def test_a_value_that_cannot_be_is_told_beside_a_name_that_is_unknown(tmp_path: Path) -> None:
    found = faults(tmp_path, "[screen]\nport = 0\nprot = 1\n[broker]\nport = 'x'\nprotocol = '4'\n[nothing]\n")
    assert {(code, where) for code, where, _ in found} == {
        ("port", "screen.port"),
        ("unknown_key", "screen.prot"),
        ("wrong_type", "broker.port"),
        ("choice", "broker.protocol"),
        ("unknown_section_among", "nothing"),
    }


def test_every_value_that_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        [cabinet]
        node = "Armoire 7"
        pins = "pigpio"
        pins_file = "/nowhere/pins.toml"
        readers_file = "/nowhere/readers.toml"
        [screen]
        port = 0
        [broker]
        port = 65536
        protocol = "3"
        [headquarters]
        database = "mysql://hq:secret@db/x"
        """,
    )
    assert {(code, where) for code, where, _ in found} == {
        ("node", "cabinet.node"),
        ("choice", "cabinet.pins"),
        ("no_file", "cabinet.pins_file"),
        ("no_file", "cabinet.readers_file"),
        ("port", "screen.port"),
        ("port", "broker.port"),
        ("choice", "broker.protocol"),
        ("database", "headquarters.database"),
    }
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        (("certificate", "key"), {"ca"}),
        (("ca", "key"), {"certificate"}),
        (("ca", "certificate"), {"key"}),
        (("certificate",), {"ca", "key"}),
        (("key",), {"ca", "certificate"}),
        (("ca",), set()),
        (("ca", "certificate", "key"), set()),
    ],
)
def test_a_certificate_needs_its_key_and_both_need_an_authority(
    tmp_path: Path, given: tuple[str, ...], lacking: set[str]
) -> None:
    (tmp_path / "a.pem").touch()
    text = "[broker]\nport = 0\n" + "".join(f'{name} = "{tmp_path}/a.pem"\n' for name in given)
    found = faults(tmp_path, text)
    assert set(found) == {("port", "broker.port", "0"), *(("missing", f"broker.{name}", "") for name in lacking)}


def test_every_certificate_that_is_not_there_is_told(tmp_path: Path) -> None:
    names = ("ca", "certificate", "key")
    found = faults(tmp_path, "[broker]\n" + "".join(f'{name} = "/nowhere/{name}.pem"\n' for name in names))
    assert found == [("no_file", f"broker.{name}", f"/nowhere/{name}.pem") for name in names]


@pytest.mark.parametrize("text", ["[cabinet", "cabinet = ", "a\0b", "\ufffe"])
def test_what_is_no_toml_is_told_with_where(tmp_path: Path, text: str) -> None:
    [(code, where, _)] = faults(tmp_path, text)
    assert (code, where) == ("not_toml", config.FILE)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / config.FILE).write_bytes(b"[cabinet]\nnode = '\xe9'\n")
    with pytest.raises(BadSettings):
        config.read(tmp_path)


@pytest.mark.parametrize("text", ["cabinet = 5", "screen = []", 'broker = "127.0.0.1"'])
def test_a_section_that_is_no_table_is_told(tmp_path: Path, text: str) -> None:
    assert [code for code, _, _ in faults(tmp_path, text)] == ["not_a_table"]


def test_true_is_no_port(tmp_path: Path) -> None:
    assert faults(tmp_path, "[screen]\nport = true") == [("wrong_type", "screen.port", "int")]


@pytest.mark.parametrize("node", ["ab", "A-1", "a" * 33, "a_1", "a/b", "a+", "#", "é-1", "a b"])
def test_a_node_that_would_not_fit_a_topic_is_refused(tmp_path: Path, node: str) -> None:
    assert [where for _, where, _ in faults(tmp_path, f'[cabinet]\nnode = "{node}"')] == ["cabinet.node"]


def test_settings_cannot_be_changed_after_reading(tmp_path: Path) -> None:
    settings = config.read(write(tmp_path, ""))
    with pytest.raises(AttributeError):
        settings.screen.port = 1  # type: ignore[misc]  # which is the point


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://hq:geheim@db/hq",
        "postgresql+psycopg://hq:geheim@db:5432/hq?sslmode=require",
        "postgresql+psycopg://hq:ge%40geheim@db/hq",
        "postgresql+psycopg://db/hq?user=hq&password=geheim",
        "postgresql+psycopg://hq:geheim@[::1/hq",
        "postgresql+psycopg://hq:ge:h/eim:geheim@db/hq",
    ],
)
def test_a_password_is_never_shown(tmp_path: Path, url: str) -> None:
    assert "geheim" not in config.masked(url)
    settings = config.read(write(tmp_path, f'[headquarters]\ndatabase = "{url}"'))
    shown = dict(config.rows(settings))
    assert "geheim" not in str(shown)


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    for url in (
        "sqlite:////a:b@c",
        "sqlite:////var/lib/trousseau/hq.db",
        "postgresql+psycopg://hq@db/hq",
        "127.0.0.1",
        "",
    ):
        assert config.masked(url) == url


def test_every_setting_is_listed(tmp_path: Path) -> None:
    names = [name for name, _ in config.rows(config.read(write(tmp_path, "")))]
    assert names == [
        f"{section}.{name}" for section, struct in config.SECTIONS.items() for name in struct.__struct_fields__
    ]
