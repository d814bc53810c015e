import { API, commonHeaders, toProblem } from "./http"
import { ApiProblem } from "./problem"

/** Fetches a file in the reader's language and hands it to the browser under the server's name. */
export async function download(path: string, fallbackName: string): Promise<void> {
  let response: Response
  try {
    response = await fetch(API + path, { headers: commonHeaders(), credentials: "same-origin" })
  } catch {
    throw new ApiProblem(0, { code: "offline" })
  }
  if (!response.ok) {
    const body: unknown = await response.json().catch(() => ({}))
    throw toProblem(response.status, body, response)
  }
  const url = URL.createObjectURL(await response.blob())
  const link = document.createElement("a")
  link.href = url
  link.download = fileName(response.headers.get("Content-Disposition")) ?? fallbackName
  document.body.append(link)
  link.click()
  link.remove()
  setTimeout(() => {
    URL.revokeObjectURL(url)
  }, 10_000)
}

/** The name in a Content-Disposition header, RFC 5987 form first. */
export function fileName(header: string | null): string | null {
  if (header === null) return null
  const extended = /filename\*=(?:UTF-8|utf-8)''([^;]+)/.exec(header)?.[1]
  if (extended !== undefined) {
    try {
      return decodeURIComponent(extended)
    } catch {
      return null
    }
  }
  return /filename="?([^";]+)"?/.exec(header)?.[1] ?? null
}
