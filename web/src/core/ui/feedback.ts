import { ElMessage } from "element-plus"
import { asProblem } from "@/core/request/problem"
import { announce } from "./announce"
import { explain } from "./explain"

/** A short note that something worked. */
export function done(message: string): void {
  ElMessage({ message, type: "success", duration: 3500, grouping: true })
  announce(message)
}

/** A refusal after a click, with what to do. */
export function failed(error: unknown): void {
  const problem = asProblem(error)
  const { title, detail } = explain(problem)
  const fields = problem.errors.map((item) => item.message)
  const message = [title, detail, ...fields].filter((part) => part !== "").join(" · ")
  ElMessage({ message, type: "error", duration: 9000, showClose: true, grouping: true })
  announce(message)
}
