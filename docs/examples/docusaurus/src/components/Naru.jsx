import useBaseUrl from "@docusaurus/useBaseUrl";
import useDocusaurusContext from "@docusaurus/useDocusaurusContext";
import { useColorMode } from "@docusaurus/theme-common";
import { useEffect } from "react";

/**
 * A cluster inside a page. Each property is the element's attribute of that name; theme and language are
 * those of the site unless said otherwise. The site lies in `static/naru`, where `naru-site` has put it.
 */
export default function Naru({ theme, lang, manifest, ...attributes }) {
  const home = useBaseUrl("/naru/");
  const file = useBaseUrl(manifest ?? "");
  const { colorMode } = useColorMode();
  const { i18n } = useDocusaurusContext();
  useEffect(() => {
    if (document.querySelector("script[data-naru]")) return;
    const script = document.createElement("script");
    script.type = "module";
    script.src = `${home}naru-sandbox.js`;
    script.dataset.naru = "";
    document.head.append(script);
  }, [home]);
  return (
    <naru-sandbox
      {...attributes}
      {...(manifest && { manifest: file })}
      theme={theme ?? colorMode}
      lang={lang ?? i18n.currentLocale}
    />
  );
}
