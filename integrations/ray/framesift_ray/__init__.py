"""A batch of framesift on a Ray cluster, and parts for pipelines of Ray Data."""

from framesift_ray.cluster import ClusterError as ClusterError
from framesift_ray.cluster import engine as engine
from framesift_ray.pipeline import Compress as Compress
from framesift_ray.pipeline import Decode as Decode
from framesift_ray.pipeline import Encode as Encode

__all__ = ["ClusterError", "Compress", "Decode", "Encode", "engine"]
