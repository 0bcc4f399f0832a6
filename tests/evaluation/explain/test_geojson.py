import json

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.evaluation import as_geojson, prototype_colour, slides_with_squares


@pytest.fixture
def slide():
    return pd.DataFrame(
        {
            "patient": "P", "modality": "wsi", "slide": "S", "x": [0, 512], "y": [1024, 0],
            "patch_size": [512.0, 512.0], "prototype": [3, 0], "confidence": [0.5, 0.25],
            "transported": np.nan, "contribution": [0.1, -0.1],
        }
    )  # fmt: skip


def test_a_patch_is_a_square_in_pixels_of_full_resolution(slide):
    document = json.loads(as_geojson(slide))
    assert document["type"] == "FeatureCollection"
    first, second = document["features"]
    assert first["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[0, 1024], [512, 1024], [512, 1536], [0, 1536], [0, 1024]]],
    }
    assert second["geometry"]["coordinates"][0][2] == [1024, 512]


def test_a_patch_has_the_class_colour_and_numbers_that_qupath_reads(slide):
    own = json.loads(as_geojson(slide))["features"][0]["properties"]
    red, green, blue = own["classification"]["color"]
    assert own["objectType"] == "detection"
    assert own["classification"]["name"] == "Prototype 3"
    assert f"#{red:02X}{green:02X}{blue:02X}" == prototype_colour(3)
    # what is not known is left out: JSON has no NaN
    assert own["measurements"] == {"Prototype": 3.0, "Confidence": 0.5, "Contribution to risk": 0.1}


def test_several_slides_or_patches_without_a_place_are_refused(slide):
    with pytest.raises(ValueError, match="GeoJSON is for one slide"):
        as_geojson(pd.concat([slide, slide.assign(slide="T")]))
    with pytest.raises(ValueError, match="have no place"):
        as_geojson(slide.assign(patch_size=np.nan))


def test_slides_without_coordinates_are_passed_over(slide):
    both = pd.concat([slide, slide.assign(slide="T", x=np.nan)])
    ((key, rows),) = slides_with_squares(both)
    assert key == ("P", "wsi", "S")
    assert len(rows) == 2


def test_parts_of_a_pixel_are_kept(slide):
    ring = json.loads(as_geojson(slide.assign(patch_size=512.5)))["features"][0]["geometry"]["coordinates"][0]
    assert ring[2] == [512.5, 1536.5]
