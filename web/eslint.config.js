import js from "@eslint/js"
import globals from "globals"
import ts from "typescript-eslint"
import vue from "eslint-plugin-vue"
import a11y from "eslint-plugin-vuejs-accessibility"

/** Arrows point down only: app → features → core; a feature knows no other feature. */
const features = ["overview", "inventory", "cameras", "peers", "uppers", "alarms", "sharing", "live", "audit", "users", "login"]
const kit = {
  name: "element-plus",
  message: "Take it from @/core/ui, the one place that wraps the kit.",
}
const allowTypes = { allowTypeImports: false }

export default ts.config(
  { ignores: ["node_modules", "dist", "coverage", "src/core/api/schema.d.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...vue.configs["flat/recommended"],
  ...a11y.configs["flat/recommended"],
  {
    files: ["**/*.{ts,vue,js,mjs}"],
    languageOptions: {
      globals: { ...globals.browser, ...globals.node },
      parserOptions: { parser: ts.parser, extraFileExtensions: [".vue"] },
    },
    rules: {
      // vue-tsc knows the names better.
      "no-undef": "off",
      "no-console": "error",
      eqeqeq: "error",
      "max-lines": ["error", { max: 500, skipBlankLines: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      // Layout is the formatter's matter, not the linter's.
      "vue/max-attributes-per-line": "off",
      "vue/singleline-html-element-content-newline": "off",
      "vue/multiline-html-element-content-newline": "off",
      "vue/html-self-closing": "off",
      "vue/html-indent": "off",
      "vue/html-closing-bracket-newline": "off",
      "vue/first-attribute-linebreak": "off",
      "vue/attributes-order": "off",
      "vue/multi-word-component-names": "off",
      // Optional props without a default are undefined, and typed so.
      "vue/require-default-prop": "off",
      "vue/no-v-html": "error",
      "vue/block-order": ["error", { order: ["script", "template", "style"] }],
      "vue/define-macros-order": "error",
      "vue/no-unused-refs": "error",
      // Labels wrap their control here; either association is enough for a screen reader.
      "vuejs-accessibility/label-has-for": ["error", { required: { some: ["nesting", "id"] }, controlComponents: ["ElInput", "ElSelect", "ElDatePicker", "ElInputNumber", "ElTimePicker", "ElCheckboxGroup", "ElRadioGroup"] }],
      "vuejs-accessibility/form-control-has-label": "off",
    },
  },
  {
    files: ["src/**/*.vue"],
    rules: { "max-lines": ["error", { max: 300, skipBlankLines: true }] },
  },
  {
    files: ["src/core/**/*.{ts,vue}"],
    ignores: ["src/core/ui/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        { paths: [kit], patterns: [{ group: ["@/features/*", "@/app/*"], message: "core knows neither features nor app.", ...allowTypes }] },
      ],
    },
  },
  ...features.map((name) => ({
    files: [`src/features/${name}/**/*.{ts,vue}`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: [kit],
          patterns: [
            { group: ["@/app/*"], message: "Features do not know the app.", ...allowTypes },
            ...features.filter((other) => other !== name).map((other) => ({ group: [`@/features/${other}/*`], message: "A feature knows no other feature; put what is shared into core.", ...allowTypes })),
          ],
        },
      ],
    },
  })),
  {
    files: ["scripts/**", "**/*.test.ts"],
    rules: { "no-console": "off", "@typescript-eslint/no-non-null-assertion": "off" },
  },
)
