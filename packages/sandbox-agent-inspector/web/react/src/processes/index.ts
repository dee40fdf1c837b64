export { environmentOf, writtenCommand } from './commandLine.ts';
export { type UsedProcesses, useProcesses } from './useProcesses.ts';
