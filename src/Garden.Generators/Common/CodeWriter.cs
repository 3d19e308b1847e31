using System.Text;

namespace Garden.Generators;

/// <summary>Indented text with LF line ends on every platform, so that generated files are the same everywhere.</summary>
internal sealed class CodeWriter
{
    private readonly StringBuilder _text = new();
    private int _indent;

    /// <summary>Writes one or more lines at the current indentation; empty text is an empty line.</summary>
    public void Line(string text = "")
    {
        foreach (string line in text.Replace("\r", "").Split('\n'))
        {
            if (line.Length != 0)
                _text.Append(' ', 4 * _indent).Append(line);
            _text.Append('\n');
        }
    }

    /// <summary>Opens a brace behind <paramref name="header"/>.</summary>
    public void Open(string header)
    {
        Line(header);
        Line("{");
        _indent++;
    }

    /// <summary>Closes what <see cref="Open"/> opened.</summary>
    public void Close()
    {
        _indent--;
        Line("}");
    }

    /// <summary>Writes a single line one step further in.</summary>
    public void Indented(string line)
    {
        _indent++;
        Line(line);
        _indent--;
    }

    public override string ToString() => _text.ToString();
}
