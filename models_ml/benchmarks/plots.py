"""Lines of measurements as a small SVG that a browser shows in the light and in the dark."""

from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 60, 170, 34, 46
COLOURS = ("#4655d6", "#c4661f", "#2e8b57", "#a03c8c")
Points = Sequence[tuple[float, float]]


def write(path: Path, title: str, across: str, up: str, lines: Mapping[str, Points]) -> None:
    """Both axes begin at nothing, so that what is linear is a straight line through the corner."""
    most_x = max(x for points in lines.values() for x, _y in points)
    most_y = max(y for points in lines.values() for _x, y in points) or 1.0

    def at(x: float, y: float) -> str:
        return (
            f"{LEFT + x / most_x * (WIDTH - LEFT - RIGHT):.1f},"
            f"{HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM):.1f}"
        )

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{title}" font-family="sans-serif" font-size="12" fill="#777">',
        f'<text x="{LEFT}" y="18" font-size="14">{title}</text>',
        f'<path d="M{at(0, most_y)} L{at(0, 0)} L{at(most_x, 0)}" fill="none" stroke="#999"/>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{across}</text>',
        f'<text x="{LEFT - 8}" y="{TOP + 4}" text-anchor="end">{most_y:.3g}</text>',
        f'<text x="{LEFT - 8}" y="{HEIGHT - BOTTOM}" text-anchor="end">0</text>',
        f'<text x="{LEFT + 6}" y="{TOP + 4}">{up}</text>',
    ]
    for x in sorted({x for points in lines.values() for x, _y in points}):
        place = at(x, 0).split(",")[0]
        drawn.append(f'<text x="{place}" y="{HEIGHT - 28}" text-anchor="middle">{x:,.0f}</text>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        way = " ".join(at(x, y) for x, y in [(0.0, 0.0), *points])
        drawn.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y in points:
            cx, cy = at(x, y).split(",")
            drawn.append(f'<circle cx="{cx}" cy="{cy}" r="3.5" fill="{colour}"/>')
        y_text = TOP + 14 + 18 * number
        drawn.append(f'<text x="{WIDTH - RIGHT + 16}" y="{y_text}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*drawn, "</svg>", ""]), encoding="utf-8")
