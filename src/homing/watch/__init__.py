"""A hot folder: pictures that arrive are released, and moved aside when that is done."""
