/** What is open above the page. */
import { create } from 'zustand';

export const overlays = create<{ palette: boolean; keys: boolean }>(() => ({
  palette: false,
  keys: false,
}));
