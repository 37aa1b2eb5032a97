"""Small drawings inside pages, as SVG without styles of its own: the page colours them."""

from markupsafe import Markup, escape

from gateway.service.browse.tables import Column
from gateway.web.pages.wording import figure

_WIDTH, _HEIGHT = 240, 64
_GAP = 1


def histogram(column: Column) -> Markup:
    """Return the histogram of a column; each bar says its range and count."""
    if column.histogram is None:
        return Markup()
    edges, counts = column.histogram.edges, column.histogram.counts
    top, wide = max(*counts, 1), _WIDTH / len(counts)
    bars = Markup().join(
        Markup(
            '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{} to {}: {}</title>'
            "</rect>"
        ).format(
            index * wide,
            _HEIGHT - count / top * _HEIGHT,
            max(wide - _GAP, 1),
            count / top * _HEIGHT,
            figure(edges[index]),
            figure(edges[index + 1]),
            figure(count),
        )
        for index, count in enumerate(counts)
    )
    about = f"Histogram of {column.name} from {figure(edges[0])} to {figure(edges[-1])}"
    if column.quantiles:
        about += f", median {figure(column.quantiles['0.5'])}"
    return Markup(
        '<svg class="histogram" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, escape(about), bars)
