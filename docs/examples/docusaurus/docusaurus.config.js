// @ts-check

/** @type {import("@docusaurus/types").Config} */
export default {
  title: "Kubernetes by hand",
  url: "https://example.com",
  baseUrl: "/",
  onBrokenLinks: "throw",
  presets: [["classic", { docs: { routeBasePath: "/" }, blog: false, theme: {} }]],
};
