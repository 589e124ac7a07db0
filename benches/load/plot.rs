//! Lines over minutes, as SVG that can be read on light and on dark pages.

use std::fmt::Write;

/// A named line: minutes, and a value.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 32.0;
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-size:14px;font-weight:600;fill:#24292f}\
.grid{stroke:#d0d7de}.a{stroke:#0969da;fill:none;stroke-width:1.5}.b{stroke:#bc4c00;fill:none;stroke-width:1.5}\
.ta{fill:#0969da}.tb{fill:#bc4c00}@media(prefers-color-scheme:dark){text{fill:#8b949e}.title{fill:#e6edf3}.grid{stroke:#30363d}\
.a{stroke:#58a6ff}.b{stroke:#f0883e}.ta{fill:#58a6ff}.tb{fill:#f0883e}}";

/// A picture with its axes from zero.
pub(crate) fn svg(title: &str, under: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let (x_max, y_max) = (all().map(|(x, _)| *x).fold(1.0, f64::max), rounded(all().map(|(_, y)| *y).fold(0.0, f64::max)));
    let x_of = |x: f64| LEFT + x / x_max * (WIDTH - LEFT - RIGHT);
    let y_of = |y: f64| HEIGHT - BOTTOM - y / y_max * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"18\">{title}</text>\n<text x=\"{LEFT}\" y=\"36\">{under}</text>\n",
        // Half of the last word stands beside the axis.
        WIDTH + RIGHT
    );
    for quarter in 0..=4 {
        let value = y_max * f64::from(quarter) / 4.0;
        let y = y_of(value);
        writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - RIGHT).unwrap();
        writeln!(svg, "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", LEFT - 6.0, y + 4.0).unwrap();
    }
    for sixth in 0..=6 {
        let minutes = x_max * f64::from(sixth) / 6.0;
        writeln!(svg, "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{minutes:.0} min</text>", x_of(minutes), HEIGHT - 12.0)
            .unwrap();
    }
    for ((line, class), nth) in lines.iter().zip(["a", "b"]).zip(0u8..) {
        let points: String = line.points.iter().map(|(x, y)| format!("{:.1},{:.1} ", x_of(*x), y_of(*y))).collect();
        writeln!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.trim_end()).unwrap();
        if 1 < lines.len() {
            let x = WIDTH - RIGHT - 40.0 * f64::from(nth);
            writeln!(svg, "<text class=\"t{class}\" x=\"{x}\" y=\"36\" text-anchor=\"end\">{}</text>", line.name).unwrap();
        }
    }
    svg + "</svg>\n"
}

/// The next number that divides well by four.
fn rounded(value: f64) -> f64 {
    let steps = [4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 40.0];
    let mut scale = 1.0;
    loop {
        if let Some(step) = steps.into_iter().map(|step| step * scale).find(|step| value <= *step) {
            return step;
        }
        scale *= 10.0;
    }
}
