// What the element says by itself, besides what the page in its frame says. A language is one entry.
const TEXTS = {
  ko: {
    title: "나루: 브라우저 속 쿠버네티스",
    poster: "여기에서 쿠버네티스 클러스터가 돌아갑니다.",
    start: "시작하기",
    skip: "샌드박스 건너뛰기",
  },
  en: {
    title: "Naru: Kubernetes in the browser",
    poster: "A Kubernetes cluster runs here.",
    start: "Start",
    skip: "Skip the sandbox",
  },
};

/** The texts of a language; Korean, where there is none of it. */
export function textsOf(language) {
  return TEXTS[String(language).toLowerCase().split("-")[0]] ?? TEXTS.ko;
}
