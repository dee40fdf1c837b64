/** Fields for what only one agent has, from the JSON schema that the server tells of it. Pure. */

export type OptionKind = 'text' | 'number' | 'boolean' | 'choice' | 'list' | 'json';

export interface OptionField {
  name: string;
  kind: OptionKind;
  description: string;
  choices: readonly string[];
  isRisky: boolean;
}

type Schema = Record<string, unknown>;

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function propertiesOf(schema: unknown): [string, Schema][] {
  if (!isSchema(schema) || !isSchema(schema.properties)) {
    return [];
  }
  return Object.entries(schema.properties).filter((each): each is [string, Schema] =>
    isSchema(each[1]),
  );
}

/** What a value is besides null. */
function meant(schema: Schema): Schema {
  const any = Array.isArray(schema.anyOf) ? schema.anyOf.filter(isSchema) : [];
  const others = any.filter((each) => each.type !== 'null');
  const [only] = others;
  return others.length === 1 && only ? only : any.length > 0 ? {} : schema;
}

function kindOf(schema: Schema): OptionKind {
  if (Array.isArray(schema.enum)) {
    return 'choice';
  }
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return isSchema(schema.items) && schema.items.type === 'string' ? 'list' : 'json';
    default:
      return 'json';
  }
}

export function optionFields(schema: unknown): readonly OptionField[] {
  return propertiesOf(schema).map(([name, property]) => {
    const value = meant(property);
    const description = property.description;
    return {
      name,
      kind: kindOf(value),
      description: typeof description === 'string' ? description : '',
      choices: Array.isArray(value.enum) ? value.enum.map(String) : [],
      isRisky: property.risky === true,
    };
  });
}

/** `maxBudgetUsd` -> `Max budget usd`. */
export function optionLabel(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function readValue(kind: OptionKind, text: string): unknown {
  switch (kind) {
    case 'number': {
      const number = Number(text);
      if (!Number.isFinite(number)) {
        throw new TypeError('A number');
      }
      return number;
    }
    case 'boolean':
      return text === 'true';
    case 'list':
      return text
        .split(/[\n,]/)
        .map((each) => each.trim())
        .filter((each) => each !== '');
    case 'json':
      try {
        return JSON.parse(text);
      } catch {
        throw new TypeError('JSON, such as {"name": "value"}');
      }
    default:
      return text;
  }
}

/** What was written into the fields, as values; what was left empty is not among them. */
export function readOptions(
  schema: unknown,
  texts: Readonly<Record<string, string>>,
): { values: Record<string, unknown>; problems: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const problems: Record<string, string> = {};
  for (const { name, kind } of optionFields(schema)) {
    const text = (Object.hasOwn(texts, name) ? texts[name] : undefined)?.trim() ?? '';
    if (text === '') {
      continue;
    }
    try {
      values[name] = readValue(kind, text);
    } catch (error) {
      problems[name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { values, problems };
}
