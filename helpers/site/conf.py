"""Settings of Sphinx for the site; ``helpers.site`` writes the pages and runs Sphinx with this folder."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "Embeddings"
author = "the authors of the course"
project_copyright = "the authors of the course. Code: MIT. Text: CC BY 4.0"
extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["jupyter_execute"]
nb_execution_mode = "off"
nb_number_source_lines = False
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "mystnb.mime_priority", "misc.highlighting_failure"]

html_theme = "furo"
html_title = "Embeddings"
html_favicon = "icon.svg"
html_static_path: list[str] = ["static"]
html_css_files = ["live.css", "quiz.css", "site.css"]
html_js_files = ["live.js", "quiz.js", "site.js"]
html_show_search_summary = False  # it fetches pages, which a page opened from file:// may not do
html_show_sourcelink = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_math_renderer = "mathml"
copybutton_exclude = ".linenos, .gp, .go"


def _mathml(node: nodes.Element, as_block: bool) -> str:
    return tex2mathml(node.astext().replace("…", r"\ldots "), as_block=as_block)


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
    translator.body.append(f'<span class="math">{_mathml(node, False)}</span>')
    raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{_mathml(node, True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Render formulas as MathML, which browsers and screen readers support without a script."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
