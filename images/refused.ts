/** The picture is not one that can be taken. */
export class PictureRefused extends Error {
  override name = 'PictureRefused';
  /** `unsupported`: not a JPEG or PNG; `invalid`: one that cannot be used. */
  readonly kind: 'unsupported' | 'invalid';
  /** What kind of fault, as a word. */
  readonly code: string;

  /** `detail` says what it is and what to send instead. */
  constructor(kind: PictureRefused['kind'], code: string, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? {} : { cause });
    this.kind = kind;
    this.code = code;
  }
}
