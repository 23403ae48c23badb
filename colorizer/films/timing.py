"""When the packets of a film are decoded and shown: as read, with jumps taken out; as written."""

import dataclasses
import math
from fractions import Fraction

import av
import numpy as np

# The times of a stream jump if they go back by more than this, in seconds, or forward by more than
# the other in containers whose times may restart. Source: FFmpeg's ts_discontinuity_detect.
LEAST_STEP_BACK = Fraction(1, 10)
LONGEST_GAP = 10

# Streams of one recording begin within so much of the end of those before, in seconds.
LONGEST_LEAD = 1


def may_restart(container) -> bool:
    """Tell whether times may restart within files of this kind, as in recordings of broadcasts."""
    return bool(container.format.flags & av.format.Flags.ts_discont.value)


class Clock:
    """Makes one time line of packets whose times restart or jump, as players do.

    Where recordings stand behind each other, the second begins when all streams of the first have
    ended. `offset` is what is added to the times of the newest recording, in seconds.
    """

    def __init__(self, container):
        self.longest_gap = LONGEST_GAP if may_restart(container) else math.inf
        self.offset = Fraction(0)
        # By stream: the offset of the recording that it is in, its last time of decoding as read,
        # how long its last packet is, when that ends, and when it is decoded.
        self.offsets, self.last, self.lengths, self.ends, self.given = {}, {}, {}, {}, {}

    def set(self, packet) -> None:
        """Correct the times of a packet; packets come as they lie in the file."""
        index, base = packet.stream_index, packet.time_base
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            self._follow(index, packet.dts * base, (packet.duration or 0) * base)
        if not self.offset:
            return
        shift = self.offsets.get(index, self.offset) / base
        if packet.pts is not None:
            packet.pts = round(packet.pts + shift)
        if packet.dts is not None:
            # The ends of two recordings may overlap.
            packet.dts = max(round(packet.dts + shift), self.given.get(index, -math.inf) + 1)
            packet.pts = packet.pts and max(packet.pts, packet.dts)
            self.given[index] = packet.dts

    def _follow(self, index, time, length) -> None:
        """Find which recording a stream is in, by its next time of decoding, as read."""
        offset = self.offsets.setdefault(index, self.offset)
        last = self.last.get(index, time)
        if time < last - LEAST_STEP_BACK or time > last + self.longest_gap:
            lead = self.ends[index] - (time + self.offset)
            if offset == self.offset or not -LONGEST_GAP <= lead <= LONGEST_LEAD:
                self.offset = max(self.ends.values()) - time
            self.offsets[index] = self.offset
        elif not length:
            length = time - last or self.lengths.get(index, 0)
        self.last[index], self.lengths[index] = time, length
        end = time + self.offsets[index] + length
        self.ends[index] = max(end, self.ends.get(index, end))


def packets(container, clock):
    """Yield all packets of a film with the times that a Clock gives them, as far as it is whole."""
    try:
        for packet in container.demux():
            if packet.size:
                clock.set(packet)
                yield packet
    except av.FFmpegError:
        return


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The times of a film's encoded packets, in the order of decoding, as the container needs them.

    `decode` and `show`, int64 (packets,), are when a packet is decoded and when its frame is shown;
    `length` is for how long, but for the last packet, whose length is that of the last frame.
    """

    decode: np.ndarray
    show: np.ndarray
    length: np.ndarray

    def earlier(self, time) -> "Timeline":
        """Return it with all packets so much earlier."""
        return Timeline(self.decode - time, self.show - time, self.length)


def timeline(times, last_length) -> Timeline:
    """Order packets of which only the times of their frames are known.

    `times`, int64 (packets,), are all different, in the order of decoding; the film's last frame is
    shown for `last_length`. A packet is decoded when the frame that is shown so many places earlier
    is shown: as few places as keep every packet from coming after its own frame.
    """
    shown = np.sort(times)
    delay = int(max(0, np.max(np.arange(len(times)) - np.searchsorted(shown, times))))
    # So early does decoding begin that it ends early by as much: MP4 adds up its samples' lengths.
    earliness = shown[-1] - shown[len(shown) - 1 - delay]
    early = shown[0] - earliness * np.arange(delay, 0, -1) // max(1, delay)
    decode = np.concatenate([early, shown])[: len(times)]
    lengths = np.append(np.diff(shown), last_length)[np.searchsorted(shown, times)]
    lengths[-1] = last_length
    return Timeline(decode, times, lengths)
