using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Garden.Generators.CodeFixes;

/// <summary>Makes an annotated type one that a generator can complete: a struct, partial, in types that are partial.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(TargetTypeCodeFix))]
[Shared]
public sealed class TargetTypeCodeFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["GRDN0001", "GRDN0030", "GRDN0050"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindToken(context.Span.Start).Parent?.FirstAncestorOrSelf<TypeDeclarationSyntax>() is not { } type)
            return;
        if (!IsStruct(type))
            Register($"Make '{type.Identifier.ValueText}' a partial struct", "struct", node => Partial(Struct(node)));
        else if (type.AncestorsAndSelf().OfType<TypeDeclarationSyntax>().Any(declaration => !IsPartial(declaration)))
            Register($"Make '{type.Identifier.ValueText}' partial", "partial", Partial);

        void Register(string title, string key, Func<TypeDeclarationSyntax, TypeDeclarationSyntax> change) => context.RegisterCodeFix(
            CodeAction.Create(title, _ => Task.FromResult(context.Document.WithSyntaxRoot(Apply(root, type, change))), key), context.Diagnostics);
    }

    /// <summary>Changes the type, and makes the types around it partial.</summary>
    private static SyntaxNode Apply(SyntaxNode root, TypeDeclarationSyntax type, Func<TypeDeclarationSyntax, TypeDeclarationSyntax> change)
    {
        TypeDeclarationSyntax[] outer = [.. type.Ancestors().OfType<TypeDeclarationSyntax>().Where(declaration => !IsPartial(declaration))];
        return root.ReplaceNodes([type, .. outer], (original, current) => original == type ? change(current) : Partial(current));
    }

    private static bool IsStruct(TypeDeclarationSyntax type) =>
        (type.IsKind(SyntaxKind.StructDeclaration) || type.IsKind(SyntaxKind.RecordStructDeclaration)) && !type.Modifiers.Any(SyntaxKind.RefKeyword);

    private static bool IsPartial(TypeDeclarationSyntax type) => type.Modifiers.Any(SyntaxKind.PartialKeyword);

    private static TypeDeclarationSyntax Partial(TypeDeclarationSyntax type)
    {
        if (IsPartial(type))
            return type;
        SyntaxToken partial = SyntaxFactory.Token(SyntaxKind.PartialKeyword).WithTrailingTrivia(SyntaxFactory.Space);
        if (type.Modifiers.Count != 0)
            return type.WithModifiers(type.Modifiers.Add(partial));

        // The first token bears the comments and the indentation before the declaration.
        SyntaxToken first = type.Keyword;
        return ((TypeDeclarationSyntax)type.WithKeyword(first.WithLeadingTrivia()))
            .WithModifiers(SyntaxFactory.TokenList(partial.WithLeadingTrivia(first.LeadingTrivia)));
    }

    /// <summary>A class or a ref struct as an ordinary struct; what only classes can be is dropped.</summary>
    private static TypeDeclarationSyntax Struct(TypeDeclarationSyntax type)
    {
        SyntaxTokenList modifiers = SyntaxFactory.TokenList(type.Modifiers.Where(modifier =>
            !modifier.IsKind(SyntaxKind.RefKeyword) && !modifier.IsKind(SyntaxKind.SealedKeyword) && !modifier.IsKind(SyntaxKind.AbstractKeyword) && !modifier.IsKind(SyntaxKind.StaticKeyword)));
        SyntaxTriviaList leading = type.Modifiers.Count != 0 ? type.Modifiers[0].LeadingTrivia : type.Keyword.LeadingTrivia;
        if (modifiers.Count != 0)
            modifiers = modifiers.Replace(modifiers[0], modifiers[0].WithLeadingTrivia(leading));
        SyntaxToken keyword = SyntaxFactory.Token(SyntaxKind.StructKeyword).WithTrailingTrivia(SyntaxFactory.Space);
        TypeDeclarationSyntax changed = type switch
        {
            RecordDeclarationSyntax record => SyntaxFactory.RecordDeclaration(
                SyntaxKind.RecordStructDeclaration,
                record.AttributeLists,
                modifiers,
                record.Keyword.WithLeadingTrivia(modifiers.Count == 0 ? leading : default).WithTrailingTrivia(SyntaxFactory.Space),
                keyword,
                record.Identifier,
                record.TypeParameterList,
                record.ParameterList,
                record.BaseList,
                record.ConstraintClauses,
                record.OpenBraceToken,
                record.Members,
                record.CloseBraceToken,
                record.SemicolonToken),
            _ => SyntaxFactory.StructDeclaration(
                type.AttributeLists,
                modifiers,
                modifiers.Count == 0 ? keyword.WithLeadingTrivia(leading) : keyword,
                type.Identifier,
                type.TypeParameterList,
                type.ParameterList,
                type.BaseList,
                type.ConstraintClauses,
                type.OpenBraceToken,
                type.Members,
                type.CloseBraceToken,
                type.SemicolonToken),
        };
        return changed;
    }
}
