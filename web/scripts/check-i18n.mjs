// Fails on a key that one language lacks, that nobody uses, that is out of order or that does not exist,
// and on Chinese text outside the locales. `--write` sorts the files.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const LOCALES = ["zh-CN", "en"]
const write = process.argv.includes("--write")
const problems = []

function files(folder, match) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) return files(path, match)
    return match.test(name) ? [path] : []
  })
}

function sorted(value) {
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}

function flatten(value, prefix) {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" ? flatten(inner, `${prefix}.${key}`) : [[`${prefix}.${key}`, inner]],
  )
}

const messages = {}
for (const locale of LOCALES) {
  messages[locale] = new Map()
  for (const path of files(join(root, "src/locales", locale), /\.json$/)) {
    const text = readFileSync(path, "utf8")
    const value = JSON.parse(text)
    const wanted = `${JSON.stringify(sorted(value), null, 2)}\n`
    if (text !== wanted) {
      if (write) writeFileSync(path, wanted)
      else problems.push(`${relative(root, path)}: keys are not sorted; run npm run i18n:sort`)
    }
    for (const [key, message] of flatten(value, basename(path, ".json"))) messages[locale].set(key, message)
  }
}

const [first, second] = LOCALES
for (const [one, other] of [
  [first, second],
  [second, first],
]) {
  for (const [key, message] of messages[one]) {
    const twin = messages[other].get(key)
    if (twin === undefined) problems.push(`${other} lacks ${key}`)
    else {
      const places = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).filter((n) => n !== "s").sort().join()
      if (places(message) !== places(twin)) problems.push(`${key}: placeholders differ between languages`)
    }
  }
}

const known = messages[first]
const used = new Set()
const prefixes = new Set()
const areas = new Set([...known.keys()].map((key) => key.split(".")[0]))
for (const path of files(join(root, "src"), /\.(ts|vue)$/)) {
  const name = relative(root, path)
  if (name.endsWith("schema.d.ts")) continue
  const text = readFileSync(path, "utf8")
  if (!/\.test\.ts$/.test(path)) {
    text.split("\n").forEach((line, index) => {
      if (/\p{Script=Han}/u.test(line)) problems.push(`${name}:${index + 1}: Chinese text outside src/locales`)
    })
  }
  for (const match of text.matchAll(/["'`]([a-z][a-zA-Z]*(?:\.[a-zA-Z0-9_]+)+)["'`]/g)) {
    if (known.has(match[1])) used.add(match[1])
  }
  for (const match of text.matchAll(/\b(?:t|te|label)\(\s*["']([a-zA-Z0-9_.]+)["']/g)) {
    if (!known.has(match[1])) problems.push(`${name}: no message ${match[1]}`)
  }
  for (const match of text.matchAll(/`((?:[a-z][a-zA-Z]*)(?:\.[a-zA-Z0-9_]+)*\.)\$\{/g)) {
    if (areas.has(match[1].split(".")[0])) prefixes.add(match[1])
  }
}
for (const key of known.keys()) {
  if (!used.has(key) && ![...prefixes].some((prefix) => key.startsWith(prefix))) problems.push(`nobody uses ${key}`)
}

if (problems.length > 0) {
  console.error(problems.join("\n"))
  console.error(`${problems.length} problems in the texts`)
  process.exit(1)
}
console.log(`${known.size} texts in ${LOCALES.length} languages`)
