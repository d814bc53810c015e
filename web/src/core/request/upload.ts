import { API, commonHeaders, toProblem } from "./http"
import { ApiProblem } from "./problem"

/** A multipart post that tells how far it is. `fetch` cannot report upload progress, so this is XMLHttpRequest. */
export function upload<T>(
  path: string,
  form: FormData,
  options: { onProgress?: (share: number) => void; signal?: AbortSignal } = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open("POST", API + path)
    for (const [name, value] of Object.entries(commonHeaders())) request.setRequestHeader(name, value)
    // Answered as soon as it is stored: the page shows the progress of the check itself.
    request.setRequestHeader("Prefer", "respond-async")
    request.responseType = "json"
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) options.onProgress?.(event.loaded / event.total)
    })
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response as T)
      else reject(toProblem(request.status, request.response, null))
    })
    request.addEventListener("error", () => {
      reject(new ApiProblem(0, { code: "offline" }))
    })
    request.addEventListener("abort", () => {
      reject(new DOMException("aborted", "AbortError"))
    })
    options.signal?.addEventListener("abort", () => {
      request.abort()
    })
    request.send(form)
  })
}
