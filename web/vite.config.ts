import { fileURLToPath } from "node:url"
import vue from "@vitejs/plugin-vue"
import { defineConfig } from "vitest/config"

/** Where `npm run dev` finds a node. */
const NODE = process.env["GONGSHI_URL"] ?? "http://127.0.0.1:8000"

export default defineConfig({
  plugins: [vue()],
  resolve: { alias: { "@": fileURLToPath(new URL("src", import.meta.url)) } },
  server: {
    port: 5173,
    proxy: { "/api": NODE, "/media": NODE, "/healthz": NODE, "/readyz": NODE },
  },
  build: {
    outDir: "../src/gongshi/web_dist",
    emptyOutDir: true,
    target: "es2022",
    // The map and the player are each one library; they load with the page that needs them.
    chunkSizeWarningLimit: 1200,
    assetsInlineLimit: 0,
  },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts", "tests/**/*.test.ts"] },
})
