"""Build the documentation: `make docs`."""

import os
import sys
from pathlib import Path

import bolus

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # what lies beside this file
import generate  # noqa: E402

project = "bolus"
author = "The bolus developers"
copyright = "the bolus developers, Apache-2.0"
release = version = bolus.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "formulas"]
exclude_patterns = ["_build", "generated/*.md", "generated/accuracy/*.md", "concepts/head-to-head-tables.md"]
html_theme = "furo"
html_title = f"bolus {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_block"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
default_role = "code"  # docstrings speak of names between single backticks
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
suppress_warnings = ["myst.xref_missing"] if os.environ.get("BOLUS_DOCS_DRAFT") else []

generate.write_all(HERE / "generated")
