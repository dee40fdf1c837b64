import type { Terminal } from '@xterm/xterm';

const FRICTION = 0.95;
const STOPS_BELOW = 0.05;

/** Scrolling by a finger: lines of what was there before, or of the program when it has the whole screen. */
export class TouchScroll {
  readonly #element: HTMLElement;
  readonly #terminal: Terminal;
  readonly #write: (data: string) => void;
  #lastY = 0;
  #lastTime = 0;
  #rest = 0;
  #speed = 0;
  #frame = 0;

  constructor(element: HTMLElement, terminal: Terminal, write: (data: string) => void) {
    this.#element = element;
    this.#terminal = terminal;
    this.#write = write;
    element.addEventListener('touchstart', this.#onStart, { passive: true });
    element.addEventListener('touchmove', this.#onMove, { passive: false });
    element.addEventListener('touchend', this.#onEnd, { passive: true });
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#element.removeEventListener('touchstart', this.#onStart);
    this.#element.removeEventListener('touchmove', this.#onMove);
    this.#element.removeEventListener('touchend', this.#onEnd);
  }

  #onStart = (event: TouchEvent): void => {
    cancelAnimationFrame(this.#frame);
    this.#lastY = event.touches[0]?.clientY ?? 0;
    this.#lastTime = event.timeStamp;
    this.#rest = 0;
    this.#speed = 0;
  };

  #onMove = (event: TouchEvent): void => {
    const touch = event.touches[0];
    if (!touch || event.touches.length > 1) return;
    event.preventDefault();
    const lines = (this.#lastY - touch.clientY) / this.#rowHeight();
    const elapsed = Math.max(1, event.timeStamp - this.#lastTime);
    this.#speed = (lines / elapsed) * 16;
    this.#lastY = touch.clientY;
    this.#lastTime = event.timeStamp;
    this.#scroll(lines);
  };

  #onEnd = (): void => {
    const glide = () => {
      this.#speed *= FRICTION;
      if (Math.abs(this.#speed) < STOPS_BELOW) return;
      this.#scroll(this.#speed);
      this.#frame = requestAnimationFrame(glide);
    };
    this.#frame = requestAnimationFrame(glide);
  };

  #scroll(lines: number): void {
    this.#rest += lines;
    const whole = Math.trunc(this.#rest);
    if (whole === 0) return;
    this.#rest -= whole;
    if (this.#terminal.buffer.active.type === 'normal') {
      this.#terminal.scrollLines(whole);
      return;
    }
    const isApplication = this.#terminal.modes.applicationCursorKeysMode;
    const arrow = `${isApplication ? '\x1bO' : '\x1b['}${whole < 0 ? 'A' : 'B'}`;
    this.#write(arrow.repeat(Math.abs(whole)));
  }

  #rowHeight(): number {
    return this.#element.clientHeight / Math.max(1, this.#terminal.rows) || 16;
  }
}
