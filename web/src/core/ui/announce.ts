import { ref } from "vue"

/** What a screen reader should say next; the app shell shows it in a live region. */
export const announcement = ref("")

export function announce(text: string): void {
  announcement.value = ""
  // A second write lets the same text be said again.
  requestAnimationFrame(() => {
    announcement.value = text
  })
}
