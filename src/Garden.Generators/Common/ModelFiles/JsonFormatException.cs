namespace Garden.Generators.ModelFiles;

/// <summary>The text is not JSON. Never leaves this folder: it becomes the error of a <see cref="ModelFile{T}"/>.</summary>
internal sealed class JsonFormatException(string message) : Exception(message);
