/** The one place that knows the UI kit. Pages take the kit's parts and our own from here. */
export {
  ElAlert,
  ElBadge,
  ElButton,
  ElCheckbox,
  ElCheckboxGroup,
  ElConfigProvider,
  ElDatePicker,
  ElDialog,
  ElDrawer,
  ElDropdown,
  ElDropdownItem,
  ElDropdownMenu,
  ElForm,
  ElFormItem,
  ElIcon,
  ElInput,
  ElInputNumber,
  ElMessage,
  ElOption,
  ElPopover,
  ElRadio,
  ElRadioButton,
  ElRadioGroup,
  ElSelect,
  ElSlider,
  ElTabPane,
  ElTabs,
  ElTimePicker,
  ElTooltip,
} from "element-plus"
export { default as AsyncBlock } from "./AsyncBlock.vue"
export { default as CodeText } from "./CodeText.vue"
export { default as ConfirmDialog } from "./ConfirmDialog.vue"
export { default as EmptyState } from "./EmptyState.vue"
export { default as FilterChips } from "./FilterChips.vue"
export { default as MoreRows } from "./MoreRows.vue"
export { default as PageHead } from "./PageHead.vue"
export { default as ProblemNote } from "./ProblemNote.vue"
export { default as ProgressLine } from "./ProgressLine.vue"
export { default as ReasonDialog } from "./ReasonDialog.vue"
export { default as StateTag } from "./StateTag.vue"
export { default as TimeText } from "./TimeText.vue"
export { announce } from "./announce"
export { explain } from "./explain"
export { done, failed } from "./feedback"
export type { Tone } from "./tones"
