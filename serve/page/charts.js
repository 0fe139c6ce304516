// Plotly, from the deployment itself, loaded when the first chart is drawn. What comes from data is escaped: Plotly reads
// a little markup in labels.

import { h, themed } from "./dom.js";

// Plotly looks for an element of this id before it adds a style sheet for maps, which are not drawn here and whose text
// the page's policy would refuse.
const MAP_STYLE = "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53";

let loading = null;

function load() {
  loading ??= new Promise((done, failed) => {
    const source = document.querySelector('meta[name="plotly"]').content;
    const script = h("script", {
      src: new URL(source, document.baseURI).href,
      onload: () => done(window.Plotly),
      onerror: () => ((loading = null), failed(new Error("The charts cannot be loaded."))),
    });
    document.head.append(h("meta", { id: MAP_STYLE }), script);
  });
  return loading;
}

/** Text that Plotly shows as it is. */
export function plain(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Eight colours that differ in both themes. */
export function palette() {
  return Array.from({ length: 8 }, (_, i) => themed(`--g${i}`));
}

function layoutOf(layout) {
  const axis = {
    gridcolor: themed("--line"),
    linecolor: themed("--line-strong"),
    zerolinecolor: themed("--line-strong"),
    automargin: true,
    ticks: "",
    title: { standoff: 8 },
  };
  const font = { family: themed("--sans"), size: 12, color: themed("--soft") };
  return {
    font,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    colorway: palette(),
    margin: { l: 48, r: 12, t: 28, b: 40 },
    hoverlabel: {
      font: { ...font, color: themed("--ink") },
      bgcolor: themed("--panel"),
      bordercolor: themed("--line-strong"),
    },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    ...layout,
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
}

/** Draws into `element` and again when the theme changes; `make()` gives `{data, layout}`. Returns what ends that. */
export function chart(element, make) {
  let gone = false;
  async function draw() {
    try {
      const plotly = await load();
      const { data, layout } = make();
      if (!gone) await plotly.react(element, data, layoutOf(layout), { displayModeBar: false, responsive: true });
    } catch (error) {
      if (!gone) element.textContent = error.message;
    }
  }
  document.addEventListener("themed", draw);
  draw();
  return () => {
    gone = true;
    document.removeEventListener("themed", draw);
    window.Plotly?.purge(element);
  };
}
