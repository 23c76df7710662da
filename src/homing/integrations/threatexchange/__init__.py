"""ThreatExchange: ``tx`` and the Hasher-Matcher-Actioner match photos by homing's descriptor.

``tx config extensions add homing.integrations.threatexchange`` adds the signal type ``homing_s3``.
torch is loaded when a picture is hashed; matching hashes needs Faiss alone.
"""

from homing.extras import require_packages

require_packages(
    "threatexchange",
    {"threatexchange": "threatexchange"},
    "homing.integrations.threatexchange",
)

from threatexchange.extensions.manifest import ThreatExchangeExtensionManifest  # noqa: E402

from homing.integrations.threatexchange.index import HomingIndex  # noqa: E402
from homing.integrations.threatexchange.signal import HomingSignal  # noqa: E402

__all__ = ["TX_MANIFEST", "HomingIndex", "HomingSignal"]

TX_MANIFEST = ThreatExchangeExtensionManifest(signal_types=(HomingSignal,))
"""Name that ``tx`` looks for. The signal applies to the content type ``photo``."""
