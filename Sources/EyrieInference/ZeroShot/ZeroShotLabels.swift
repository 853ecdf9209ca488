/// Names that a model for pictures and texts (CLIP) can tell apart without having been trained for them: each has
/// the embedding of a text, and a picture is what the nearest text says.
public struct ZeroShotLabels: Sendable, Codable, Equatable {
  /// The names, one a row of the embeddings.
  public var labels: [String]
  /// The file with the embeddings of the texts, relative to the package; see ``TextEmbeddings``.
  public var embeddings: String
  /// What a cosine is multiplied with before softmax: the exponential of CLIP's learned temperature, 100 for
  /// OpenAI's models. Above 0 and at most 1000.
  public var logitScale: Double
  /// The texts that were embedded and averaged, with `{}` for the name; for people.
  public var prompts: [String]

  /// Describes the names.
  public init(labels: [String], embeddings: String, logitScale: Double, prompts: [String] = []) {
    self.labels = labels
    self.embeddings = embeddings
    self.logitScale = logitScale
    self.prompts = prompts
  }

  enum CodingKeys: String, CodingKey {
    case labels, embeddings
    case logitScale = "logit_scale"
    case prompts
  }
}
