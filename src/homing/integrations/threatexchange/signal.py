"""The signal type: homing's descriptor of a photo."""

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threatexchange.content_type.content_base import ContentType
from threatexchange.content_type.photo import PhotoContent
from threatexchange.signal_type.signal_base import (
    BytesHasher,
    CanGenerateRandomSignal,
    SignalComparisonResult,
    SimpleSignalType,
)

from homing.errors import DescriptorError, PictureError
from homing.integrations.threatexchange.codes import (
    DESCRIPTOR,
    DIMENSION,
    TAG,
    THRESHOLD,
    distance,
    from_signal,
    to_codes,
    to_signal,
)
from homing.integrations.threatexchange.index import HomingIndex

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_log = logging.getLogger(__name__)


class HomingSignal(SimpleSignalType, BytesHasher, CanGenerateRandomSignal):
    """Descriptor of a photo, homing-s version 3: near for crops, turns, memes, screenshots.

    Two signals match at a distance, 1 − cosine, of at most 0.10: one strange photograph in 190
    matches something in a bank of a million.
    """

    @classmethod
    def get_name(cls) -> str:
        """Return the name, which has the descriptor's version: others cannot be compared."""
        return "homing_s3"

    @classmethod
    def get_content_types(cls) -> list[type[ContentType]]:
        """Return the content types that it applies to: photos."""
        return [PhotoContent]

    @classmethod
    def get_index_cls(cls) -> type[HomingIndex]:  # type: ignore[type-arg]
        """Return the class of its index."""
        return HomingIndex

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """Return a signal without blanks around it; UsageError if it is not whole, or another's."""
        from_signal(signal_str)
        return signal_str.strip()

    @classmethod
    def compare_hash(
        cls, hash1: str, hash2: str, threshold: float = THRESHOLD
    ) -> SignalComparisonResult:
        """Compare two signals."""
        away = distance(from_signal(hash1), from_signal(hash2))
        return SignalComparisonResult.from_simple_dist(away, threshold)

    @classmethod
    def hash_from_bytes(cls, bytes_: bytes) -> str:
        """Describe an encoded picture; "" if it cannot be read, or shows nothing."""
        return _hash(bytes_)

    @classmethod
    def hash_from_file(cls, file: Path) -> str:
        """Describe a file's picture; "" if it cannot be read, or shows nothing."""
        return _hash(file)

    @classmethod
    def get_random_signal(cls) -> str:
        """Return a signal of no picture, for load tests."""
        vector = np.random.default_rng().normal(size=(1, DIMENSION)).astype(np.float32)
        return to_signal(to_codes(vector)[0])

    @staticmethod
    def get_examples() -> list[str]:
        """Return the signals of two photographs of the demonstration: a cat, and coffee."""
        return list(_EXAMPLES)


def _hash(source: bytes | Path) -> str:
    from homing.options import UPRIGHT
    from homing.search.views import query_views

    descriptor = _descriptor()
    try:
        views = query_views(source, descriptor.input_size, UPRIGHT)
    except PictureError as error:
        _log.warning("no signal: %s", error)
        return ""
    if not views:
        _log.warning("no signal: the picture shows next to nothing")
        return ""
    return to_signal(to_codes(descriptor.describe_squashed(views[0].pixels[np.newaxis]))[0])


@functools.cache  # the interface has class methods only: no object could hold it
def _descriptor() -> "Descriptor":
    from homing.descriptors import load_descriptor

    descriptor = load_descriptor(DESCRIPTOR)
    if not descriptor.fingerprint.startswith(TAG.hex()):
        raise DescriptorError(
            f"{DESCRIPTOR} is {descriptor.fingerprint[:8]}… here, not {TAG.hex()}…: its signals "
            "cannot be compared with others; install the homing that this module came with"
        )
    return descriptor


_EXAMPLES = (
    "qPm4VREc78gC9_8g8gv3Cfj1AgF_AeIMCfYMAvD75v0K-QcPX_8PF_j9D_D7BPf09PACBNMGDhsTyCfv5vv-CPAE"
    "AgvnBPIj5-fhAPMDExMFBQYABgwP1f8LCCPvBfb39PYF8Nr85-3yA-cbAwf7DPHwEvP7C_Y0BgoB0_AQBvjzCg4G"
    "RSEA9xsl_evv9PX9AwQAAWXC0xAP4e8QAQMP9wb7-vXg_jbs7Qnj_wL31_cTCv4B5_7x_QL2FhLlAQvz9_j__wEQ"
    "_-MaDAwg9fPsCvz8AgQjJQ_dCPMO8w3wCBMM6vwPDh72Ft0WKBILAgH4-PD8BgYCCOgcAwXtEvgO7_j1B_vKIdoj",
    "qPm4VS1UpwkJzxgQ4Bb1EPIFFBR7x-ARLyA4EesM-PEN9w0CRH_HD_EoQNzwJ_EIIQHjBmm3CiAr7uzZ6fv95fAj"
    "EQbz3aQn2gPG6PH4Hhf_998aMRFLoigXBhnbEPvn-wsM786wpSO9SrwPCOT8D_EJMe3P2T8L5f61_v0HBegfCQQC"
    "YvVMOxww6Pfi_un6HRzu9yrisvYnw_cXIOsT4fQUBf4xufbD_NUS9SLf9_AUBwfrCeHT8QH2KTD28ezbAPfSGRgd"
    "B9XMNSYc6ub7BuoY6hMmmnz7EwEZ2ynp1fMq_AcXeCDoRc054AYK5eoP3Pbn86eLLOpgGM7tIfcY8f4KCRuSwbWy",
)
