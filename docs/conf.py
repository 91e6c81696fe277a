"""Build the documentation: `make docs`."""

import os
import sys
from pathlib import Path

import bolus

project = "bolus"
author = "The bolus developers"
release = version = bolus.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "generated/*.md"]
html_theme = "furo"
html_title = f"bolus {release}"
html_static_path = ["_static"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
suppress_warnings = ["myst.xref_missing"] if os.environ.get("BOLUS_DOCS_DRAFT") else []

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402 - it lies beside this file

generate.write_all(HERE / "generated")
