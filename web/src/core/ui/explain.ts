import { i18n } from "@/core/i18n"
import type { ApiProblem } from "@/core/request/problem"

/** The server words its own refusals; what never reached it is worded here. */
export function explain(problem: ApiProblem): { title: string; detail: string } {
  const { t, te } = i18n.global
  if (problem.offline) return { title: t("problem.offline.title"), detail: t("problem.offline.detail") }
  if (problem.title !== "" || problem.detail !== "") {
    const same = problem.title === problem.detail
    return { title: problem.title || problem.detail, detail: same || problem.title === "" ? "" : problem.detail }
  }
  const key = `problem.status.${String(problem.status)}`
  return { title: te(key, "zh-CN") ? t(key) : t("problem.unknown", { status: problem.status }), detail: "" }
}
