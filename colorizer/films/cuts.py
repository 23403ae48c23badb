"""A list of cuts that a person can edit: one line for each scene, its first frame and its time."""

from colorizer.errors import UserError, shown
from colorizer.files.atomic import replacing

HEADER = "# frame\ttime; a line for each scene, the times are for you"


def read(path) -> set:
    """Read the numbers of the frames that begin scenes; raises UserError where a line has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{shown(path)} cannot be read as a list of scenes") from error
    found = set()
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if words and not words[0].isdecimal():
            raise UserError(
                f"{shown(path)}, line {number}: {shown(words[0])} is no frame; "
                "begin each line with the number of a scene's first frame"
            )
        found.update(map(int, words[:1]))
    return found


def write(path, scenes) -> None:
    """Write the first frames of Scenes, and when they begin."""
    lines = [f"{scene.begin}\t{clock(scene.seconds)}" for scene in scenes]
    with replacing(path) as temporary:
        temporary.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")


def clock(seconds) -> str:
    """Write a time as players do: 0:01:30.500."""
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{thousandths / 1000:06.3f}"
