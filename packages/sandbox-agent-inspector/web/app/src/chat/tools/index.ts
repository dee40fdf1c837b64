export { Attachment } from './Attachment.tsx';
export { PlanCard } from './PlanCard.tsx';
export { QuietRow } from './QuietRow.tsx';
export { TaskCard } from './TaskCard.tsx';
export { ToolCall } from './ToolCall.tsx';
