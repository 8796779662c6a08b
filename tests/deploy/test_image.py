"""The image: its Dockerfile, what goes into it, and the wheel that it installs, which is the same bytes every time."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from collector.daemon import STOP_SECONDS_MAX
from tests.lab.edge import free_ports

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
HEALTHCHECK = ROOT / "deploy" / "healthcheck.py"
TEXT = DOCKERFILE.read_text(encoding="utf-8")
PINNED = re.compile(r"^(\S+==\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)
EPOCH = re.compile(r"^ARG SOURCE_DATE_EPOCH=(\d+)$", re.MULTILINE)
WHEEL = re.compile(r"^RUN pip (wheel .*) --wheel-dir /wheels \.", re.MULTILINE)


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    """Its word on a Dockerfile."""
    program = Path(sys.executable).with_name("hadolint")
    return subprocess.run([program, "--no-color", str(path)], capture_output=True, text=True, check=False)


def stages(text: str) -> list[str]:
    """The Dockerfile's stages, without comments."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return re.split(r"^FROM ", code, flags=re.MULTILINE)[1:]


def test_hadolint_is_content() -> None:
    """Nothing to be said against it, but for what it says itself, with a reason."""
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("FROM ${PYTHON}\n", "FROM python:latest\n", "DL3007"),
        ('ENTRYPOINT ["orphaned"]', "ENTRYPOINT orphaned", "DL3025"),
        ("USER 10001:10001", "USER root", "DL3002"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
    ],
)
def test_hadolint_bites(right: str, wrong: str, rule: str, tmp_path: Path) -> None:
    """Each of these would be a worse image, and is told."""
    assert right in TEXT
    broken = tmp_path / "Dockerfile"
    broken.write_text(TEXT.replace(right, wrong), encoding="utf-8")
    done = hadolint(broken)
    assert done.returncode != 0
    assert rule in done.stdout


def test_the_base_is_named_by_its_digest() -> None:
    """Both stages stand on one base, and a tag that moves does not move it."""
    assert re.search(
        r"^ARG PYTHON=docker\.io/library/python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}$", TEXT, re.MULTILINE
    )
    assert [stage.split()[0] for stage in stages(TEXT)] == ["${PYTHON}", "${PYTHON}"]


def test_every_package_comes_by_its_hash() -> None:
    """What is fetched for the image is fetched by hash, and as a wheel; the rest is not fetched."""
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) .*", stages(TEXT)[0])
    assert len(installs) == 4
    for one in installs:
        assert ("--require-hashes" in one and "--only-binary=:all:" in one) or "--no-index" in one


def test_what_is_left_runs_as_nobody_much() -> None:
    """The last stage: a user by number, which Kubernetes can check; a healthcheck without a shell; no pip install."""
    last = stages(TEXT)[-1]
    assert "\nUSER 10001:10001\n" in last
    assert 'CMD ["python", "/opt/orphaned/healthcheck.py"]' in last
    assert "pip" not in last.replace("pip --python", "")
    assert "curl" not in last


def test_the_build_sees_all_that_it_copies() -> None:
    """Whatever a COPY names is let in by .dockerignore, which lets in nothing else."""
    copied = {name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.MULTILINE) for name in line.split()}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def pins(lock: str) -> dict[str, str]:
    """Package with version -> its hashes."""
    return dict(PINNED.findall((ROOT / lock).read_text(encoding="utf-8")))


def test_the_build_lock_agrees() -> None:
    """What builds the wheel is pinned, and is what the developers build with."""
    build = pins("requirements-build.lock")
    assert [name.split("==")[0] for name in build] == ["setuptools"]
    assert build.items() <= pins("requirements-dev.lock").items()


def sources(directory: Path) -> Path:
    """What the Dockerfile copies for the wheel, in a clean directory, with times of now."""
    directory.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, directory / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "collector", directory / "collector", ignore=ignored, copy_function=shutil.copyfile)
    return directory


def built(directory: Path, epoch: str | None) -> Path:
    """The wheel, by the Dockerfile's own command."""
    command = WHEEL.search(TEXT)
    assert command
    kept = {key: value for key, value in os.environ.items() if key not in {"SOURCE_DATE_EPOCH", "PYTHONPATH"}}
    variables = {**kept, "PYTHONHASHSEED": "0", **({"SOURCE_DATE_EPOCH": epoch} if epoch else {})}
    wheels = directory / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", *command[1].split(), "--quiet", "--wheel-dir", str(wheels), "."],
        cwd=directory, env=variables, check=True, timeout=120,
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once."""
    epoch = EPOCH.search(TEXT)
    assert epoch
    return built(sources(tmp_path_factory.mktemp("wheel") / "a"), epoch[1])


def test_the_same_sources_are_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Built again elsewhere and later, it is the same to the last byte; without the epoch it is not."""
    epoch = EPOCH.search(TEXT)
    assert epoch
    again = sources(tmp_path / "b")
    for path in again.rglob("*.py"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert built(again, epoch[1]).read_bytes() == wheel.read_bytes()
    shutil.rmtree(again / "build")
    assert built(again, None).read_bytes() != wheel.read_bytes()


def test_the_wheel_has_all_of_the_program(wheel: Path) -> None:
    """Every file of the package that git knows of is in it: SQL, templates, tables of policies."""
    listed = subprocess.run(["git", "ls-files", "collector"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = set(listed.stdout.split())
    assert len(files) > 100
    assert files <= set(zipfile.ZipFile(wheel).namelist())


@contextmanager
def daemon(wheel: Path, room: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon out of the wheel, as the image runs it, with a config of one empty source."""
    program = room / "program"
    zipfile.ZipFile(wheel).extractall(program)
    config = {"http": {"listen": f"127.0.0.1:{port}"}, "sources": [
        {"name": "app", "kind": "client-log", "path": "calls/*.jsonl"}]}  # fmt: skip
    (room / "orphaned.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(program), "ORPHANED_CONFIG": str(room / "orphaned.yaml")}
    command = [sys.executable, "-m", "collector", "run"]
    with (room / "log").open("wb") as log, subprocess.Popen(command, cwd=room, env=variables, stderr=log) as started:
        try:
            yield started
        finally:
            started.kill()


def health(url: str) -> subprocess.CompletedProcess[str]:
    """The image's healthcheck, by itself, in an environment that would send it to a proxy."""
    variables = {"http_proxy": "http://127.0.0.1:1"}
    command = [sys.executable, "-I", str(HEALTHCHECK), url]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables, timeout=60)


def test_the_healthcheck_tells_a_daemon_that_lives(wheel: Path, tmp_path: Path) -> None:
    """Against the daemon out of the wheel: 0 while it lives, 1 when SIGTERM has ended it, which exits with 0."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/healthz"
    with daemon(wheel, tmp_path, port) as started:
        for _ in range(300):
            if health(url).returncode == 0:
                break
            time.sleep(0.1)
        else:
            pytest.fail((tmp_path / "log").read_text(encoding="utf-8"))
        started.terminate()
        assert started.wait(60) == 0
    gone = health(url)
    assert gone.returncode == 1
    assert "refused" in gone.stderr


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers so; its address."""
    handler = type("Handler", (BaseHTTPRequestHandler,), {"do_GET": answer, "log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/healthz"
    finally:
        server.shutdown()
        server.server_close()


def test_the_healthcheck_tells_one_that_does_not() -> None:
    """A daemon whose scheduler has died answers 503, and one that hangs answers nothing: 1, and why."""
    over = Event()

    def hang(_: BaseHTTPRequestHandler) -> None:
        over.wait(60)

    with answering(lambda request: request.send_error(503, "x", "the scheduler does not run")) as url:
        refused = health(url)
    with answering(hang) as url:
        hung = health(url)
        over.set()
    assert (refused.returncode, hung.returncode) == (1, 1)
    assert "503" in refused.stderr
    assert "timed out" in hung.stderr


def test_the_image_has_time_to_stop() -> None:
    """The daemon's own limit for a stop is below what Compose, systemd and Kubernetes give it."""
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))
    pod = yaml.safe_load((ROOT / "deploy/kubernetes/base/stateful-set.yaml").read_text(encoding="utf-8"))
    unit = (ROOT / "deploy/systemd/orphaned.service").read_text(encoding="utf-8")
    given = [
        float(compose["services"]["collector"]["stop_grace_period"].removesuffix("s")),
        float(pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]),
        float(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[0]),
    ]
    assert min(given) >= STOP_SECONDS_MAX + 5
