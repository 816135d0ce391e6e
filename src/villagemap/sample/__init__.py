"""Issues of a county that nobody lives in: believable lives and pictures, drawn from a seed.

The same places, vocabulary, seed and day give the same issues; the clock is never read.
"""

from villagemap.sample.pictures import sample_photos
from villagemap.sample.writing import CHUNK, sample_changes

__all__ = ["CHUNK", "sample_changes", "sample_photos"]
