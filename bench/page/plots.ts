/**
 * The plots of the page, as SVG in two themes.
 *
 * Vega-Lite describes each plot as data, and Vega renders it without a browser.
 *
 * @module
 */

import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** A point of a plot: a ratio with its spread. */
export interface Point {
  readonly row: string;
  /** What the color means, such as a distance. */
  readonly series: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** A plot of ratios. */
export interface Plot {
  /** The name of its files. */
  readonly name: string;
  /** What the plot shows, for those who cannot see it. */
  readonly description: string;
  /** What the ratio axis shows. */
  readonly axis: string;
  readonly points: readonly Point[];
}

interface Theme {
  readonly text: string;
  readonly grid: string;
  readonly one: string;
  readonly colors: readonly string[];
}

/** The colors of Okabe and Ito, which people with color blindness can tell apart. */
const THEMES = {
  light: { text: "#24292f", grid: "#d8dee4", one: "#57606a", colors: ["#0072b2", "#d55e00", "#009e73", "#cc79a7"] },
  dark: { text: "#e6edf3", grid: "#30363d", one: "#8b949e", colors: ["#56b4e9", "#e69f00", "#3fb68b", "#f0a6ca"] },
} as const satisfies Record<string, Theme>;

/** The names of the themes. */
export const THEME_NAMES: readonly (keyof typeof THEMES)[] = ["light", "dark"];

const ROW_HEIGHT = 22;
const WIDTH = 420;

function specOf({ axis, points, description }: Plot, theme: Theme): TopLevelSpec {
  const rows = [...new Set(points.map(({ row }) => row))];
  const series = [...new Set(points.map((it) => it.series))];
  const y = { field: "row", type: "nominal", sort: rows, title: null, axis: { labelLimit: 400 } } as const;
  const color = {
    field: "series",
    type: "nominal",
    sort: series,
    scale: { domain: series, range: [...theme.colors] },
    legend: series.length > 1 ? { title: null, orient: "top" } : null,
  } as const;
  const yOffset = { field: "series", sort: series } as const;
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description,
    background: "transparent",
    width: WIDTH,
    height: { step: Math.max(ROW_HEIGHT / series.length, 9), for: "offset" },
    data: { values: points.map((point) => ({ ...point })) },
    layer: [
      { mark: { type: "rule", color: theme.one, strokeDash: [4, 3] }, encoding: { x: { datum: 1 } } },
      {
        mark: { type: "rule", strokeWidth: 2, opacity: 0.6 },
        encoding: {
          x: { field: "low", type: "quantitative", scale: { type: "log" }, title: axis },
          x2: { field: "high" },
          y,
          yOffset,
          color,
        },
      },
      {
        mark: { type: "point", filled: true, size: 45, opacity: 1 },
        encoding: { x: { field: "median", type: "quantitative" }, y, yOffset, color },
      },
    ],
    config: {
      view: { stroke: null },
      font: "system-ui, sans-serif",
      axis: {
        labelColor: theme.text,
        titleColor: theme.text,
        gridColor: theme.grid,
        domainColor: theme.grid,
        tickColor: theme.grid,
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: "normal",
      },
      legend: { labelColor: theme.text, labelFontSize: 12 },
    },
  };
}

/** Renders a plot. */
export async function renderPlot(plot: Plot, theme: keyof typeof THEMES): Promise<string> {
  const view = new View(parse(compile(specOf(plot, THEMES[theme])).spec), { renderer: "none" });
  return `${await view.toSVG()}\n`;
}
