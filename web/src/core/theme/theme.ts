import { ref } from "vue"

export type Theme = "light" | "dark"

const STORED = "gongshi.theme"

export const theme = ref<Theme>(localStorage.getItem(STORED) === "dark" ? "dark" : "light")

function apply(): void {
  document.documentElement.classList.toggle("dark", theme.value === "dark")
  document.documentElement.style.colorScheme = theme.value
}

export function setTheme(next: Theme): void {
  theme.value = next
  localStorage.setItem(STORED, next)
  apply()
}

apply()
